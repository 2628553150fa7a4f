'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { setUp, setUpClip } = require('./live_test_kit.js');

test('no LiveAPI before live.thisdevice has banged', () => {
  const { live, host, LiveAPI } = setUp();
  host.ready = false;
  const early = new LiveAPI('live_set');
  assert.equal(early.id, '0');
  assert.match(live.errors[0], /not initialized/);
  host.ready = true;
  assert.equal(early.get('tempo'), null);
  assert.deepEqual(new LiveAPI('live_set').get('tempo'), [120]);
});

test('a LiveAPI without a path is refused before live.thisdevice too', () => {
  const { live, host, LiveAPI } = setUp();
  host.ready = false;
  assert.equal(new LiveAPI().id, '0');
  assert.equal(live.errors.length, 1);
});

test('no use of LiveAPI in the high-priority thread', () => {
  const { live, host, LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  host.low = false;
  assert.equal(song.get('tempo'), null);
  song.set('tempo', 90);
  assert.equal(song.call('create_scene', -1), null);
  assert.equal(song.getcount('tracks'), 0);
  assert.equal(new LiveAPI('live_set').id, '0');
  assert.equal(live.song.tempo, 120);
  song.property = '';
  assert.equal(live.errors.length, 6);
  assert.ok(live.errors.every((line) => /high-priority/.test(line)));
});

for (const errorsThrow of [false, true]) {
  test(`a refusal is printed${errorsThrow ? ' and thrown' : ', and gives null'}`, () => {
    const { live, LiveAPI } = setUp({ errorsThrow });
    const song = new LiveAPI('live_set');
    const refused = () => song.get('tempos');
    if (errorsThrow) assert.throws(refused, /jsliveapi: invalid property name: tempos/);
    else assert.equal(refused(), null);
    assert.deepEqual(live.errors, ['jsliveapi: invalid property name: tempos']);
  });
}

test('without an object: id 0, the roots, "No object" in quotation marks', () => {
  const { live, LiveAPI } = setUp();
  const nothing = new LiveAPI();
  assert.equal(nothing.id, '0');
  assert.equal(nothing.path, '');
  assert.equal(nothing.unquotedpath, '');
  assert.equal(nothing.type, '');
  assert.equal(nothing.info, '"No object"');
  assert.deepEqual(nothing.children,
    ['this_device', 'control_surfaces', 'live_app', 'live_set']);
  assert.deepEqual(live.errors, []);
  assert.equal(nothing.get('tempo'), null);
  nothing.set('tempo', 99);
  assert.equal(nothing.call('fire'), null);
  assert.ok(live.errors.every((line) => /no valid object set/.test(line)));
  assert.equal(live.errors.length, 3);
});

test('paths lead to objects, and objects have canonical paths', () => {
  const { live, LiveAPI } = setUpClip();
  live.song.addTrack({ kind: 'return', name: 'A' });
  const paths = ['live_set', 'live_app', 'live_set view', 'live_set tracks 0',
    'live_set tracks 0 clip_slots 0', 'live_set tracks 0 clip_slots 0 clip',
    'live_set tracks 0 clip_slots 0 clip view', 'live_set tracks 0 devices 0',
    'live_set master_track', 'live_set return_tracks 0', 'live_set scenes 1'];
  paths.forEach((path) => {
    const api = new LiveAPI(path);
    assert.notEqual(api.id, '0', path);
    assert.equal(api.unquotedpath, path);
    assert.equal(api.path, `"${path}"`);
    assert.equal(new LiveAPI(api.path).id, api.id);
  });
  assert.deepEqual(live.errors, []);
});

test('this_device and its canonical_parent', () => {
  const { device, track, LiveAPI } = setUp();
  assert.equal(new LiveAPI('this_device').id, String(device.id));
  assert.equal(new LiveAPI('this_device').type, 'MaxDevice');
  assert.equal(new LiveAPI('this_device canonical_parent').id, String(track.id));
  assert.deepEqual(new LiveAPI('this_device').get('canonical_parent'), ['id', track.id]);
});

test('in nested racks the canonical parents lead over chains to the track', () => {
  const { live, track } = setUp();
  const chain = track.addRack().addChain().addRack().addChain();
  const { LiveAPI } = live.attach(live.addDevice(chain));
  const types = [];
  let api = new LiveAPI('this_device');
  while (api.type !== 'Track') {
    types.push(api.type);
    api = new LiveAPI(`id ${api.get('canonical_parent')[1]}`);
  }
  assert.deepEqual(types, ['MaxDevice', 'Chain', 'RackDevice', 'Chain', 'RackDevice']);
  assert.equal(api.id, String(track.id));
  assert.equal(new LiveAPI('this_device').unquotedpath,
    'live_set tracks 0 devices 1 chains 0 devices 0 chains 0 devices 0');
  assert.equal(new LiveAPI('this_device canonical_parent').getcount('clip_slots'), 0);
  assert.match(live.errors[0], /invalid property name: clip_slots/);
});

test('a path to nothing is printed, not thrown, and gives id 0', () => {
  const { live, LiveAPI } = setUp({ errorsThrow: true });
  ['live_set tracks 9', 'live_set track 0', 'live_set tracks', 'nowhere', 'id 999',
    'live_set tracks -1'].forEach((path) => assert.equal(new LiveAPI(path).id, '0', path));
  assert.equal(live.errors.length, 6);
  assert.ok(live.errors.every((line) => /invalid path/.test(line)));
});

test('the clip of an empty slot is id 0 and no error', () => {
  const { live, LiveAPI } = setUp();
  assert.equal(new LiveAPI('live_set tracks 0 clip_slots 0 clip').id, '0');
  assert.deepEqual(new LiveAPI('live_set tracks 0 clip_slots 0').get('clip'), ['id', 0]);
  assert.deepEqual(live.errors, []);
});

test('an object is found again by "id N", N and the id property', () => {
  const { track, LiveAPI } = setUp();
  const api = new LiveAPI();
  api.id = track.id;
  assert.deepEqual([new LiveAPI(`id ${track.id}`), new LiveAPI(track.id),
    new LiveAPI(null, `id ${track.id}`), api].map(({ type }) => type), Array(4).fill('Track'));
});

test('ids are strings, or numbers with that setting', () => {
  assert.equal(typeof new (setUp().LiveAPI)('live_set').id, 'string');
  assert.equal(typeof new (setUp({ idsAreNumbers: true }).LiveAPI)('live_set').id, 'number');
});

test('get gives lists: numbers, strings, 0 and 1, ids', () => {
  const { live, track, LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  assert.deepEqual(song.get('tempo'), [120]);
  assert.deepEqual(song.get('scale_name'), ['Major']);
  assert.deepEqual(song.get('is_playing'), [0]);
  assert.deepEqual(song.get('tracks'), ['id', track.id]);
  assert.deepEqual(song.get('return_tracks'), []);
  assert.equal(song.getstring('scale_name'), 'Major');
  assert.equal(song.getcount('scenes'), live.song.scenes.length);
});

test('floats have single precision with that setting', () => {
  const { LiveAPI } = setUp({ tempo: 93.7, singlePrecision: true });
  assert.deepEqual(new LiveAPI('live_set').get('tempo'), [Math.fround(93.7)]);
});

test('set refuses read-only and unknown properties and values of the wrong type', () => {
  const { live, LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  const track = new LiveAPI('live_set tracks 0');
  song.set('file_path', '/x.als');
  song.set('tracks', 1);
  song.set('nothing', 1);
  song.set('tempo', '90');
  song.set('tempo', 19);
  song.set('tempo', 1000);
  song.set('signature_numerator', 3.5);
  song.set('signature_denominator', 3);
  song.set('root_note', 12);
  track.set('name', 5);
  track.set('mute', 2);
  track.set('color', 0x1000000);
  track.set('toString', 1);
  assert.equal(live.errors.length, 13);
  assert.equal(live.song.tempo, 120);
  assert.equal(live.song.tracks[0].name, 'Hum');
});

test('call refuses functions that the class does not have', () => {
  const { live, LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  ['fire', 'toString', 'create_midi_clip'].forEach((name) => song.call(name));
  assert.deepEqual(live.errors.map((line) => line.split(': ')[1]),
    Array(3).fill('no valid function name'));
});

test('info lists children, properties and functions', () => {
  const { LiveAPI } = setUp();
  const lines = new LiveAPI('live_set').info.replace(/"/g, '').split('\n');
  ['type Song', 'children tracks Track', 'child view Song.View', 'property tempo float',
    'function create_scene', 'done'].forEach((line) => assert.ok(lines.includes(line), line));
});

test('an observer gets the value at once and on each change, until it stops', () => {
  const { live, LiveAPI } = setUp();
  const notified = [];
  const api = new LiveAPI((message) => notified.push(message), 'live_set');
  api.property = 'tempo';
  live.song.setTempo(93.7);
  live.song.setTimeSignature(7, 8);
  api.property = '';
  live.song.setTempo(60);
  assert.deepEqual(notified, [['id', live.song.id], ['tempo', 120], ['tempo', 93.7]]);
});

test('children lists can be observed', () => {
  const { live, track, LiveAPI } = setUp();
  const notified = [];
  const api = new LiveAPI((message) => notified.push(message), 'live_set');
  api.property = 'tracks';
  const other = live.song.insertTrack(0);
  assert.deepEqual(notified.slice(1),
    [['tracks', 'id', track.id], ['tracks', 'id', other.id, 'id', track.id]]);
});

test('observing other properties is refused', () => {
  const { live, LiveAPI } = setUpClip();
  const observe = (path, name) => {
    new LiveAPI(() => {}, path).property = name;
  };
  observe('this_device', 'canonical_parent');
  observe('live_set tracks 0 clip_slots 0 clip', 'is_playing');
  observe('live_set tracks 0 clip_slots 0', 'clip');
  observe('live_set', 'tempos');
  assert.equal(live.errors.filter((line) => /cannot be listened to/.test(line)).length, 3);
  assert.match(live.errors[3], /invalid property name: tempos/);
});

test('nothing can be changed inside a callback', () => {
  const { live, LiveAPI } = setUpClip();
  const song = new LiveAPI('live_set');
  const clip = new LiveAPI('live_set tracks 0 clip_slots 0 clip');
  const read = [];
  const change = () => {
    read.push(song.get('tempo')[0], song.call('get_current_beats_song_time'));
    song.set('tempo', 50);
    song.call('create_scene', -1);
    clip.call('fire');
    clip.set('name', 'x');
  };
  const api = new LiveAPI(change, 'live_set');
  assert.equal(live.errors.length, 4);
  api.property = 'tempo';
  assert.equal(live.errors.length, 8);
  live.song.setTempo(90);
  assert.equal(live.errors.length, 12);
  assert.ok(live.errors.every((line) => /cannot be triggered by notifications/.test(line)));
  assert.match(live.errors[0], /You will need to defer your response/);
  assert.equal(read[4], 90);
  assert.equal(live.song.tempo, 90);
  song.set('tempo', 91);
  assert.equal(live.song.tempo, 91);
});

test('an exception in a callback is printed and has no other effect', () => {
  const { live, LiveAPI } = setUp();
  const api = new LiveAPI(() => {
    throw new Error('a mistake');
  }, 'live_set');
  api.property = 'tempo';
  live.song.setTempo(90);
  assert.deepEqual(live.errors, Array(3).fill('js: a mistake'));
  assert.equal(live.notifying, 0);
});

test('mode 0 follows the object, mode 1 the path', () => {
  const { live, track, LiveAPI } = setUp();
  const notified = [];
  const object = new LiveAPI('live_set tracks 0');
  const path = new LiveAPI((message) => notified.push(message), 'live_set tracks 0');
  path.mode = 1;
  const first = live.song.insertTrack(0, { name: 'First' });
  assert.deepEqual([object.id, path.id], [String(track.id), String(first.id)]);
  assert.equal(object.unquotedpath, 'live_set tracks 1');
  live.song.moveTrack(track, 0);
  assert.deepEqual([object.id, path.id], [String(track.id), String(track.id)]);
  assert.deepEqual(notified, [['id', track.id], ['id', first.id], ['id', track.id]]);
});

test('setting mode 1 goes back to the path at once', () => {
  const { live, LiveAPI } = setUp();
  const api = new LiveAPI('live_set tracks 0');
  const first = live.song.insertTrack(0);
  api.mode = 1;
  assert.equal(api.id, String(first.id));
  assert.equal(api.mode, 1);
});

test('a deleted object has id 0, and its old id is never used again', () => {
  const { live, clip, LiveAPI } = setUpClip();
  const notified = [];
  const where = 'live_set tracks 0 clip_slots 0 clip';
  const api = new LiveAPI((message) => notified.push(message), where);
  live.song.deleteClip(clip);
  assert.equal(api.id, '0');
  assert.deepEqual(notified, [['id', clip.id], ['id', 0]]);
  assert.equal(new LiveAPI(`id ${clip.id}`).id, '0');
  new LiveAPI('live_set tracks 0 clip_slots 0').call('create_audio_clip', '/x.wav');
  assert.notEqual(live.song.tracks[0].slots[0].clip.id, clip.id);
});

test('slots, clips and devices are deleted with their track', () => {
  const { live, track, LiveAPI } = setUpClip();
  live.song.addTrack();
  const apis = ['', ' devices 0', ' clip_slots 0', ' clip_slots 0 clip']
    .map((rest) => new LiveAPI(`live_set tracks 0${rest}`));
  live.song.deleteTrack(track);
  assert.deepEqual(apis.map(({ id }) => id), ['0', '0', '0', '0']);
  assert.equal(new LiveAPI('this_device').id, '0');
});

test('a moved device has its id and a new path; a duplicate is another device', () => {
  const { live, device, track, LiveAPI } = setUp();
  const other = live.song.addTrack({ name: 'Other' });
  const api = new LiveAPI('this_device');
  live.moveDevice(device, other);
  assert.equal(api.unquotedpath, 'live_set tracks 1 devices 0');
  assert.equal(new LiveAPI('this_device canonical_parent').id, String(other.id));
  const copy = live.duplicate(device, track);
  assert.equal(new (live.attach(copy).LiveAPI)('this_device').unquotedpath,
    'live_set tracks 0 devices 0');
  assert.notEqual(copy.id, device.id);
});

test('a path to a device is followed when devices move and are deleted', () => {
  const { live, device, track, LiveAPI } = setUp();
  const other = live.song.addTrack({ name: 'Other' });
  const notified = [];
  const api = new LiveAPI((message) => notified.push(message), 'live_set tracks 1 devices 0');
  api.mode = 1;
  live.moveDevice(device, other);
  assert.equal(api.id, String(device.id));
  new LiveAPI('live_set tracks 1').call('delete_device', 0);
  assert.equal(api.id, '0');
  assert.equal(new LiveAPI('this_device').id, '0');
  assert.deepEqual([track.devices, other.devices], [[], []]);
  assert.deepEqual(notified, [['id', device.id], ['id', 0]]);
});

test('observers of devices are notified when one is added, moved or deleted', () => {
  const { live, device, track, LiveAPI } = setUp();
  const other = live.song.addTrack({ name: 'Other' });
  const counts = { 0: [], 1: [] };
  [0, 1].forEach((at) => {
    const watching = new LiveAPI(([name, ...ids]) => name === 'devices'
      && counts[at].push(ids.length / 2), `live_set tracks ${at}`);
    watching.property = 'devices';
  });
  live.addDevice(track);
  live.moveDevice(device, other);
  live.deleteDevice(device);
  track.addRack();
  assert.deepEqual(counts, { 0: [1, 2, 1, 2], 1: [0, 1, 0] });
});

test('devices, racks and chains have names, and chains can be observed', () => {
  const { live, track, LiveAPI } = setUp();
  const rack = track.addRack('Rack');
  const notified = [];
  new LiveAPI(([name]) => notified.push(name), 'live_set tracks 0 devices 1').property = 'chains';
  live.addDevice(rack.addChain('Dry'), 'Reverb');
  const name = (path) => new LiveAPI(`live_set tracks 0 devices ${path}`).get('name')[0];
  assert.deepEqual(['0', '1', '1 chains 0', '1 chains 0 devices 0'].map(name),
    ['Melody Bridge', 'Rack', 'Dry', 'Reverb']);
  assert.deepEqual(notified, ['id', 'chains', 'chains']);
});

test('goto and path change the object, and the observer follows', () => {
  const { live, track, LiveAPI } = setUp();
  const other = live.song.addTrack({ name: 'Other' });
  const notified = [];
  const api = new LiveAPI((message) => notified.push(message), 'live_set tracks 0');
  api.property = 'name';
  api.goto('live_set tracks 1');
  api.path = 'live_set tracks 0';
  assert.deepEqual(notified, [['id', track.id], ['name', 'Hum'],
    ['id', other.id], ['name', 'Other'],
    ['id', track.id], ['name', 'Hum']]);
});

test('each device has its own this_device', () => {
  const { live, LiveAPI } = setUp();
  const second = live.addDevice(live.song.addTrack());
  const ids = [LiveAPI, live.attach(second).LiveAPI].map((Api) => new Api('this_device').id);
  assert.notEqual(ids[0], ids[1]);
});

test('the version of Live can be read', () => {
  const { LiveAPI } = setUp({ version: '12.1.5' });
  const app = new LiveAPI('live_app');
  assert.deepEqual(['get_major_version', 'get_minor_version', 'get_bugfix_version']
    .map((name) => app.call(name)), [12, 1, 5]);
});
