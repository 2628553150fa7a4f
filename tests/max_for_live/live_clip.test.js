'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { PALETTE } = require('./live_palette.js');
const { setUp, setUpClip } = require('./live_test_kit.js');

/** A Max Dict with the methods that a dictionary argument needs. */
class Dict {
  #entries = new Map();

  set(key, value) {
    this.#entries.set(key, value);
  }

  get(key) {
    return this.#entries.has(key) ? this.#entries.get(key) : null;
  }
}

function refusedWith(live, reason) {
  assert.match(live.errors.pop() || 'nothing refused', reason);
  assert.deepEqual(live.errors, []);
}

/** The warp markers as a script reads them; the hidden one is last. */
function markers(api) {
  return JSON.parse(api.get('warp_markers')[0]).warp_markers;
}

function close(actual, expected) {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

const beatsAndSeconds = ({ beat_time: beats, sample_time: seconds }) => [beats, seconds];

test('a new clip is warped at a guessed tempo, unlooped, with bounds from the guess', () => {
  const { api } = setUpClip({ guessTempo: () => 90 });
  assert.deepEqual([api.get('warping'), api.get('looping')], [[1], [0]]);
  assert.deepEqual([api.get('loop_start'), api.get('loop_end')], [[0], [12]]);
  assert.deepEqual([api.get('start_marker'), api.get('end_marker')], [[0], [12]]);
  assert.deepEqual(api.get('length'), [12]);
});

test('the guess is wrong unless a test sets it', () => {
  const { api } = setUpClip();
  assert.notEqual(api.get('length')[0], 16);
});

test('with the user\'s other setting a new clip is unwarped, in seconds', () => {
  const { api } = setUpClip({ warpNewClips: false });
  assert.deepEqual([api.get('warping'), api.get('looping')], [[0], [0]]);
  assert.deepEqual([api.get('loop_end'), api.get('end_marker'), api.get('length')],
    [[8], [8], [8]]);
  assert.deepEqual(markers(api), []);
});

test('new clips loop only with that setting, and only if warped', () => {
  assert.deepEqual(setUpClip({ loopNewClips: true }).api.get('looping'), [1]);
  assert.deepEqual(setUpClip({ loopNewClips: true, warpNewClips: false }).api.get('looping'), [0]);
});

test('a new clip has one visible marker and a hidden one 1/32 beat on, at the guess', () => {
  const { api } = setUpClip({ guessTempo: () => 90 });
  const [first, hidden, ...more] = markers(api);
  assert.deepEqual(more, []);
  assert.deepEqual(beatsAndSeconds(first), [0, 0]);
  assert.equal(hidden.beat_time, 1 / 32);
  close(hidden.sample_time, 60 / 90 / 32);
});

test('the guess may be a list of markers, the first one not at the start', () => {
  const guess = [{ beat_time: 0, sample_time: 0.5 }, { beat_time: 4, sample_time: 2.5 }];
  const { api } = setUpClip({ guessTempo: () => guess });
  assert.deepEqual(markers(api).slice(0, 2), guess);
  assert.deepEqual([api.get('loop_start'), api.get('loop_end')], [[-1], [15]]);
});

test('the guess may be the same for all clips', () => {
  assert.deepEqual(setUpClip({ guessTempo: 60 }).api.get('loop_end'), [8]);
});

test('setting warping takes effect in a later task', () => {
  const { clock, api } = setUpClip();
  api.set('warping', 0);
  assert.deepEqual(api.get('warping'), [1]);
  clock.advance(1);
  assert.deepEqual(api.get('warping'), [0]);
  api.set('warping', 1);
  assert.deepEqual(api.get('warping'), [0]);
  clock.advance(1);
  assert.deepEqual(api.get('warping'), [1]);
});

test('looping cannot be set in the task that sets warping', () => {
  const { live, clock, api } = setUpClip({ warpNewClips: false });
  api.set('warping', 1);
  api.set('looping', 1);
  refusedWith(live, /unwarped audio cannot be looped/);
  clock.advance(1);
  api.set('looping', 1);
  assert.deepEqual(api.get('looping'), [1]);
});

test('warping may be set on a clip that is deleted before it takes effect', () => {
  const { live, clock, clip, api } = setUpClip();
  api.set('warping', 0);
  live.song.deleteClip(clip);
  clock.advance(1);
  assert.equal(clip.warping, true);
  assert.deepEqual(live.errors, []);
});

test('warp on converts seconds to beats at the guess, and leaves a stale end marker', () => {
  const { clock, api } = setUpClip({ warpNewClips: false, guessTempo: () => 90 });
  api.set('warping', 1);
  clock.advance(1);
  assert.deepEqual([api.get('loop_start'), api.get('loop_end')], [[0], [12]]);
  assert.deepEqual([api.get('start_marker'), api.get('end_marker')], [[0], [8]]);
});

test('warp off stops looping, converts beats to seconds and leaves a stale end marker', () => {
  const { clock, api } = setUpClip({ guessTempo: () => 90, loopNewClips: true });
  api.set('warping', 0);
  clock.advance(1);
  assert.deepEqual([api.get('looping'), api.get('warping')], [[0], [0]]);
  close(api.get('loop_end')[0], 8);
  assert.deepEqual(api.get('end_marker'), [12]);
});

test('a clip keeps its part of the file when warp is switched on and off', () => {
  const { live, clock, track, LiveAPI } = setUp({ guessTempo: 90 });
  live.song.addAudioClip(track, 0, { path: '/hum.wav', loopStart: 2, loopEnd: 6, startMarker: 2 });
  const api = new LiveAPI('live_set tracks 0 clip_slots 0 clip');
  const bounds = () => ['loop_start', 'loop_end', 'start_marker'].map((name) => api.get(name)[0]);
  const warp = (on) => {
    api.set('warping', on);
    clock.advance(1);
  };
  warp(1);
  assert.deepEqual(bounds(), [3, 9, 3]);
  api.set('looping', 1);
  assert.deepEqual(bounds(), [3, 9, 3]);
  api.set('loop_end', 12);
  warp(0);
  bounds().forEach((seconds, at) => close(seconds, [2, 6, 2][at]));
  warp(1);
  api.set('looping', 1);
  close(api.get('loop_end')[0], 12);
});

test('warp off and on again deletes the markers', () => {
  const { clock, api } = setUpClip({ guessTempo: () => 90 });
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  api.set('warping', 0);
  clock.advance(1);
  api.set('warping', 1);
  clock.advance(1);
  assert.equal(markers(api).length, 2);
});

test('setting warping to its current value changes nothing', () => {
  const { clock, api } = setUpClip();
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  api.set('warping', 1);
  clock.advance(1);
  assert.equal(markers(api).length, 3);
});

test('a new last marker moves the hidden one, at the tempo of its segment', () => {
  const { live, api } = setUpClip();
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  assert.deepEqual(markers(api).map(beatsAndSeconds), [[0, 0], [16, 8], [16.03125, 8.015625]]);
  assert.deepEqual(live.errors, []);
});

test('bounds do not change with markers: the length is wrong until it is set', () => {
  const { api } = setUpClip({ guessTempo: () => 90 });
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  assert.deepEqual(api.get('length'), [12]);
  api.set('looping', 1);
  api.set('loop_end', 16);
  assert.deepEqual(api.get('length'), [16]);
});

test('a marker can be an object or a Dict, but not text or numbers', () => {
  const { live, api } = setUpClip();
  const dict = new Dict();
  dict.set('beat_time', 8);
  dict.set('sample_time', 4);
  api.call('add_warp_marker', dict);
  assert.deepEqual(beatsAndSeconds(markers(api)[1]), [8, 4]);
  ['{"beat_time":4}', 4, null, [4, 2], undefined].forEach((argument) => {
    api.call('add_warp_marker', argument);
    refusedWith(live, /dictionary/);
  });
  api.call('add_warp_marker', {});
  refusedWith(live, /beat_time/);
  api.call('add_warp_marker', { beat_time: '4', sample_time: 2 });
  refusedWith(live, /expected a number/);
});

test('without sample_time a new marker is at the present time of its beat', () => {
  const { api } = setUpClip({ guessTempo: () => 90 });
  api.call('add_warp_marker', { beat_time: 6 });
  assert.equal(markers(api)[1].beat_time, 6);
  close(markers(api)[1].sample_time, 4);
});

test('a marker stays within the file, counted in seconds', () => {
  const { live, api } = setUpClip();
  [8.0001, -0.1, 8 * 44100].forEach((seconds) => {
    api.call('add_warp_marker', { beat_time: 16, sample_time: seconds });
    refusedWith(live, /outside the sample/);
  });
});

test('markers are in order', () => {
  const { live, api } = setUpClip();
  api.call('add_warp_marker', { beat_time: 8, sample_time: 4 });
  [[12, 3], [4, 5], [12, 4]].forEach(([beats, seconds]) => {
    api.call('add_warp_marker', { beat_time: beats, sample_time: seconds });
    refusedWith(live, /in the order/);
  });
  api.call('move_warp_marker', 8, -9);
  refusedWith(live, /in the order/);
  assert.equal(markers(api).length, 3);
});

test('no second marker at a beat', () => {
  const { live, api } = setUpClip();
  api.call('add_warp_marker', { beat_time: 0, sample_time: 1 });
  refusedWith(live, /already exists/);
});

test('segments have 5 to 999 bpm', () => {
  const { live, api } = setUpClip();
  const add = (beats) => api.call('add_warp_marker', { beat_time: beats, sample_time: 8 });
  add(0.66);
  refusedWith(live, /outside 5 ... 999 bpm/);
  add(133.3);
  refusedWith(live, /outside 5 ... 999 bpm/);
  add(0.67);
  api.call('remove_warp_marker', 0.67);
  add(133.1);
  api.call('move_warp_marker', 133.1, 0.2);
  refusedWith(live, /outside 5 ... 999 bpm/);
});

test('a marker is moved by its beat', () => {
  const { live, api } = setUpClip();
  api.call('add_warp_marker', { beat_time: 15, sample_time: 8 });
  api.call('move_warp_marker', 15, 1);
  assert.deepEqual(beatsAndSeconds(markers(api)[1]), [16, 8]);
  api.call('move_warp_marker', 15, 1);
  refusedWith(live, /specified warp marker doesn't exist/);
});

test('the hidden marker cannot be moved or removed', () => {
  const { live, api } = setUpClip();
  const hidden = markers(api)[1].beat_time;
  api.call('move_warp_marker', hidden, 1);
  refusedWith(live, /doesn't exist/);
  api.call('remove_warp_marker', hidden);
  refusedWith(live, /doesn't exist/);
});

test('the first marker can be removed if there is another, the only one cannot', () => {
  const { live, api } = setUpClip();
  api.call('remove_warp_marker', 0);
  refusedWith(live, /cannot be removed/);
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  api.call('remove_warp_marker', 0);
  assert.deepEqual(beatsAndSeconds(markers(api)[0]), [16, 8]);
  api.call('add_warp_marker', { beat_time: 0, sample_time: 0.5 });
  assert.deepEqual(beatsAndSeconds(markers(api)[0]), [0, 0.5]);
  api.call('remove_warp_marker', 0);
  api.call('add_warp_marker', { beat_time: 0, sample_time: 0 });
  assert.deepEqual(beatsAndSeconds(markers(api)[0]), [0, 0]);
  assert.deepEqual(live.errors, []);
});

test('only warped audio clips have warp markers', () => {
  const { live, api } = setUpClip({ warpNewClips: false });
  const calls = [['add_warp_marker', { beat_time: 1 }], ['move_warp_marker', 0, 1],
    ['remove_warp_marker', 0]];
  calls.forEach((call) => {
    api.call(...call);
    refusedWith(live, /only available for warped/);
  });
});

test('observers of warp_markers are notified of each change', () => {
  const { LiveAPI, api } = setUpClip();
  const counts = [];
  const count = ([name, json]) => name === 'warp_markers'
    && counts.push(JSON.parse(json).warp_markers.length);
  new LiveAPI(count, 'live_set tracks 0 clip_slots 0 clip').property = 'warp_markers';
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  assert.deepEqual(counts, [2, 3]);
});

test('markers set while Live analyses a new clip are overwritten', () => {
  const { clock, api, LiveAPI } = setUpClip({ guessTempo: () => 90, analysisMs: 1000 });
  const notified = [];
  const where = 'live_set tracks 0 clip_slots 0 clip';
  const watching = new LiveAPI(([name]) => notified.push(name), where);
  watching.property = 'warp_markers';
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  clock.advance(999);
  assert.equal(markers(api).length, 3);
  clock.advance(2);
  assert.equal(markers(api).length, 2);
  assert.deepEqual(api.get('loop_end'), [12]);
  assert.deepEqual(notified, ['id', 'warp_markers', 'warp_markers', 'warp_markers']);
  api.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  clock.advance(5000);
  assert.equal(markers(api).length, 3);
});

test('the analysis of a deleted or unwarped clip stops', () => {
  const gone = setUpClip({ analysisMs: 1000 });
  gone.live.song.deleteClip(gone.clip);
  const map = gone.clip.warpMap;
  gone.clock.advance(2000);
  assert.equal(gone.clip.warpMap, map);
  const { api, clock } = setUpClip({ analysisMs: 1000 });
  api.set('warping', 0);
  clock.advance(2000);
  assert.deepEqual(api.get('warping'), [0]);
});

test('loop bounds never cross: the order of writing matters', () => {
  const { live, api } = setUpClip({ guessTempo: () => 90, loopNewClips: true });
  api.set('loop_start', 16);
  refusedWith(live, /Cannot set LoopStart behind LoopEnd/);
  api.set('loop_end', 20);
  api.set('loop_start', 16);
  api.set('loop_end', 16);
  refusedWith(live, /Cannot set LoopEnd in front of LoopStart/);
  assert.deepEqual([api.get('loop_start'), api.get('loop_end'), api.get('length')],
    [[16], [20], [4]]);
});

test('markers never cross either', () => {
  const { live, api } = setUpClip({ guessTempo: () => 90, loopNewClips: true });
  api.set('start_marker', 12);
  refusedWith(live, /behind the end marker/);
  api.set('end_marker', 20);
  api.set('start_marker', 12);
  api.set('end_marker', 12);
  refusedWith(live, /before the start marker/);
  assert.deepEqual([api.get('start_marker'), api.get('end_marker')], [[12], [20]]);
});

test('without a loop the start marker follows loop_start, and setting it is ignored', () => {
  const { live, api } = setUpClip();
  api.set('start_marker', 3);
  assert.deepEqual(api.get('start_marker'), [0]);
  api.set('loop_start', 2);
  assert.deepEqual(api.get('start_marker'), [2]);
  assert.deepEqual(live.errors, []);
});

test('loop_start and loop_end set before looping is on are not the loop', () => {
  const { api } = setUpClip({ guessTempo: () => 90 });
  api.set('loop_end', 8);
  api.set('looping', 1);
  assert.deepEqual(api.get('loop_end'), [12]);
  api.set('loop_end', 16);
  api.set('looping', 0);
  assert.deepEqual(api.get('loop_end'), [8]);
  api.set('looping', 1);
  assert.deepEqual(api.get('loop_end'), [16]);
});

test('length is the loop, or from marker to marker', () => {
  const { api } = setUpClip({ guessTempo: () => 90, loopNewClips: true });
  api.set('end_marker', 15);
  assert.deepEqual(api.get('length'), [12]);
  api.set('looping', 0);
  assert.deepEqual(api.get('length'), [15]);
});

test('the colour is the nearest one of the palette', () => {
  const { api } = setUpClip();
  assert.equal(new Set(PALETTE).size, 70);
  PALETTE.forEach((color, index) => {
    api.set('color', color);
    assert.deepEqual([api.get('color'), api.get('color_index')], [[color], [index]]);
  });
  api.set('color', 0xfe0000);
  assert.deepEqual(api.get('color'), [0xff3636]);
  api.set('color_index', 13);
  assert.deepEqual(api.get('color'), [0xffffff]);
});

test('a clip\'s properties have ranges', () => {
  const { live, api } = setUpClip();
  const wrong = [['name', 5], ['color', '0xff0000'], ['color', 1.5], ['color_index', 70],
    ['launch_quantization', 15], ['launch_quantization', -1], ['warp_mode', 5], ['warp_mode', 7],
    ['gain', 1.1], ['looping', 2], ['warping', 'on'], ['loop_end', 'end'], ['length', 4],
    ['file_path', '/y.wav'], ['available_warp_modes', 1]];
  wrong.forEach(([name, value]) => {
    const before = api.get(name);
    api.set(name, value);
    assert.equal(live.errors.length, 1, name);
    assert.deepEqual(api.get(name), before);
    live.errors.pop();
  });
  const right = [['name', 'é, "ü"'], ['launch_quantization', 5], ['warp_mode', 6], ['gain', 0.5],
    ['muted', 1]];
  right.forEach(([name, value]) => {
    api.set(name, value);
    assert.deepEqual(api.get(name), [value]);
  });
  assert.deepEqual(api.get('available_warp_modes'), [0, 1, 2, 3, 4, 6]);
  assert.deepEqual(live.errors, []);
});

test('a new clip has default properties', () => {
  const { api } = setUpClip();
  const values = ['muted', 'launch_mode', 'launch_quantization', 'warp_mode', 'gain', 'is_playing',
    'is_triggered', 'is_recording'].map((name) => api.get(name)[0]);
  assert.deepEqual(values, [0, 0, 0, 0, 0.4, 0, 0, 0]);
});

test('observers are notified of a changed property and of all that change with it', () => {
  const { LiveAPI, api, clock } = setUpClip({ loopNewClips: true, guessTempo: 90 });
  const notified = [];
  const names = ['name', 'color', 'color_index', 'muted', 'loop_start', 'loop_end', 'looping',
    'start_marker', 'end_marker', 'end_time', 'gain', 'warp_mode', 'launch_quantization',
    'launch_mode', 'warping'];
  names.forEach((name) => {
    const watching = new LiveAPI(([property]) => notified.push(property),
      'live_set tracks 0 clip_slots 0 clip');
    watching.property = name;
  });
  const toldBy = (name, value) => {
    notified.length = 0;
    api.set(name, value);
    clock.advance(1);
    return [...notified].sort();
  };
  assert.deepEqual(toldBy('name', 'x'), ['name']);
  assert.deepEqual(toldBy('color', 0), ['color', 'color_index']);
  assert.deepEqual(toldBy('muted', 1), ['muted']);
  assert.deepEqual(toldBy('loop_start', 1), ['loop_start', 'start_marker']);
  assert.deepEqual(toldBy('loop_end', 13), ['end_time', 'loop_end']);
  assert.deepEqual(toldBy('start_marker', 1), ['start_marker']);
  assert.deepEqual(toldBy('end_marker', 15), ['end_marker', 'end_time']);
  assert.deepEqual(toldBy('gain', 1), ['gain']);
  assert.deepEqual(toldBy('warp_mode', 4), ['warp_mode']);
  assert.deepEqual(toldBy('launch_quantization', 1), ['launch_quantization']);
  assert.deepEqual(toldBy('launch_mode', 2), ['launch_mode']);
  assert.deepEqual(toldBy('looping', 0),
    ['end_time', 'loop_end', 'loop_start', 'looping', 'start_marker']);
  assert.deepEqual(toldBy('looping', 0), []);
  assert.deepEqual(toldBy('warping', 0),
    ['end_time', 'loop_end', 'loop_start', 'looping', 'start_marker', 'warping']);
});

test('end_time is the end of the loop, or the end marker', () => {
  const { api } = setUpClip({ loopNewClips: true, guessTempo: 90 });
  api.set('end_marker', 15);
  assert.deepEqual(api.get('end_time'), [12]);
  api.set('looping', 0);
  assert.deepEqual(api.get('end_time'), [15]);
});

test('without a loop the clip starts again at the start marker', () => {
  const { api } = setUpClip({ loopNewClips: true });
  api.set('start_marker', 3);
  api.set('looping', 0);
  assert.deepEqual(api.get('start_marker'), [0]);
  api.set('looping', 1);
  assert.deepEqual(api.get('start_marker'), [0]);
});

test('a duplicate has the properties of its original, and changes independently', () => {
  const { track, api, LiveAPI } = setUpClip({ loopNewClips: true, guessTempo: 90 });
  const settings = [['name', 'x'], ['color_index', 5], ['gain', 0.5], ['warp_mode', 4],
    ['launch_quantization', 5], ['launch_mode', 1], ['muted', 1], ['loop_start', 1],
    ['loop_end', 9], ['start_marker', 2], ['end_marker', 11]];
  settings.forEach(([name, value]) => api.set(name, value));
  new LiveAPI('live_set tracks 0 clip_slots 0')
    .call('duplicate_clip_to', `id ${track.slots[3].id}`);
  const copy = new LiveAPI('live_set tracks 0 clip_slots 3 clip');
  settings.forEach(([name, value]) => assert.deepEqual(copy.get(name), [value], name));
  copy.set('loop_end', 8);
  copy.call('add_warp_marker', { beat_time: 16, sample_time: 8 });
  assert.deepEqual(api.get('loop_end'), [9]);
  assert.equal(markers(api).length, 2);
  copy.set('looping', 0);
  assert.deepEqual(copy.get('loop_end'), [12]);
});

test('a MIDI clip is duplicated with its notes', () => {
  const { live, LiveAPI } = setUp();
  const track = live.song.addTrack({ kind: 'midi' });
  const note = { pitch: 60, start_time: 0, duration: 1 };
  live.song.addMidiClip(track, 0, { lengthBeats: 4, notes: [note] });
  new LiveAPI('live_set tracks 1 clip_slots 0')
    .call('duplicate_clip_to', `id ${track.slots[1].id}`);
  const [one, other] = track.slots.map(({ clip }) => clip && clip.notes[0]);
  assert.equal(other.pitch, 60);
  assert.notEqual(one.note_id, other.note_id);
});

test('a MIDI clip returns notes by their starts, as JSON text', () => {
  const { live, LiveAPI } = setUp();
  const track = live.song.addTrack({ kind: 'midi' });
  const notes = [[60, 0], [64, 1], [67, 3.5], [72, 4]]
    .map(([pitch, start]) => ({ pitch, start_time: start, duration: 0.5, velocity: 90 }));
  live.song.addMidiClip(track, 0, { name: 'Tune', lengthBeats: 8, notes });
  const api = new LiveAPI('live_set tracks 1 clip_slots 0 clip');
  const pitches = (...area) => JSON.parse(api.call('get_notes_extended', ...area)).notes
    .map(({ pitch }) => pitch);
  assert.deepEqual(pitches(0, 128, 0, 4), [60, 64, 67]);
  assert.deepEqual(pitches(61, 6, 0, 8), [64]);
  assert.deepEqual(pitches(64, 3, 0, 8), [64]);
  assert.deepEqual(pitches({ from_pitch: 0, pitch_span: 128, from_time: 1, time_span: 9 }),
    [64, 67, 72]);
  const [note] = JSON.parse(api.call('get_notes_extended', 0, 128, 0, 1)).notes;
  assert.deepEqual(Object.keys(note), ['note_id', 'velocity', 'mute', 'probability',
    'velocity_deviation', 'release_velocity', 'pitch', 'start_time', 'duration']);
  assert.equal(note.velocity, 90);
  assert.deepEqual([api.get('is_midi_clip'), api.get('length'), api.get('name')],
    [[1], [8], ['Tune']]);
});

test('notes are added from a dictionary: all or none', () => {
  const { live, LiveAPI } = setUp();
  live.song.addMidiClip(live.song.addTrack({ kind: 'midi' }), 0, { lengthBeats: 4 });
  const api = new LiveAPI('live_set tracks 1 clip_slots 0 clip');
  const note = { pitch: 60, start_time: 1, duration: 0.5 };
  const ids = api.call('add_new_notes', { notes: [note, { ...note, pitch: 64, velocity: 80 }] });
  const notes = () => JSON.parse(api.call('get_all_notes_extended')).notes;
  assert.deepEqual(notes().map(({ note_id: id }) => id), ids);
  assert.deepEqual(notes().map(({ pitch, start_time: start, duration, velocity }) =>
    [pitch, start, duration, velocity]), [[60, 1, 0.5, 100], [64, 1, 0.5, 80]]);
  const wrong = [[note, { ...note, pitch: 128 }], [{ ...note, duration: 0 }], [{ pitch: 60 }], 5];
  wrong.forEach((wrongNotes) => {
    assert.equal(api.call('add_new_notes', { notes: wrongNotes }), null);
    assert.equal(live.errors.splice(0).length, 1);
  });
  assert.equal(notes().length, 2);
});

test('members of one kind of clip are refused for the other', () => {
  const { live, LiveAPI, api } = setUpClip();
  const track = live.song.addTrack({ kind: 'midi' });
  live.song.addMidiClip(track, 0, { lengthBeats: 4 });
  const midi = new LiveAPI('live_set tracks 1 clip_slots 0 clip');
  ['file_path', 'sample_length', 'warping', 'warp_markers', 'gain'].forEach((name) => {
    assert.equal(midi.get(name), null);
    refusedWith(live, /audio clips/);
  });
  midi.set('warping', 1);
  refusedWith(live, /audio clips/);
  midi.call('add_warp_marker', { beat_time: 1 });
  refusedWith(live, /audio clips/);
  api.call('get_notes_extended', 0, 128, 0, 4);
  refusedWith(live, /MIDI clips/);
});

test('get_notes_extended needs a complete area', () => {
  const { live, LiveAPI } = setUp();
  live.song.addMidiClip(live.song.addTrack({ kind: 'midi' }), 0, { lengthBeats: 4 });
  const api = new LiveAPI('live_set tracks 1 clip_slots 0 clip');
  [[0, 128, 0], [0, 128, 0, 0], [0, 0, 0, 4], [128, 1, 0, 4]].forEach((area) => {
    assert.equal(api.call('get_notes_extended', ...area), null);
    assert.equal(live.errors.splice(0).length, 1);
  });
});

test('the user\'s clips can have their own markers, loops and bounds', () => {
  const { live, track } = setUp();
  const clip = live.song.addAudioClip(track, 0, {
    path: '/hum.wav',
    name: 'Hum',
    warping: true,
    warpMarkers: [{ beat_time: 0, sample_time: 0 }, { beat_time: 16, sample_time: 8 }],
    looping: true,
    loopStart: 4,
    loopEnd: 12,
    startMarker: 2,
    endMarker: 16,
    colorIndex: 9,
  });
  assert.deepEqual([clip.name, clip.length, clip.loop_start, clip.loop_end], ['Hum', 8, 4, 12]);
  assert.deepEqual([clip.start_marker, clip.end_marker, clip.color], [2, 16, 0x5480e4]);
  assert.equal(clip.warpMap.sampleTimeAt(4), 2);
  const plain = live.song.addAudioClip(track, 1, { path: '/hum.wav' });
  assert.deepEqual([plain.warping, plain.looping, plain.length], [false, false, 8]);
});

test('beats and seconds are interpolated between markers and extrapolated beyond them', () => {
  const { clip } = setUpClip({
    guessTempo: () => [[0, 1], [4, 3], [8, 7]]
      .map(([beats, seconds]) => ({ beat_time: beats, sample_time: seconds })),
  });
  [[-2, 0], [0, 1], [2, 2], [6, 5], [9, 8]].forEach(([beats, seconds]) => {
    close(clip.warpMap.sampleTimeAt(beats), seconds);
    close(clip.warpMap.beatAt(seconds), beats);
  });
});
