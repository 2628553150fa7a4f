'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const { createLive } = require('./live_model.js');
const { FakeClock, setUp, setUpClip, writeFile, writeWav } = require('./live_test_kit.js');
const { readWav } = require('./live_wav.js');

/** Whether the last call was refused, for a reason that matches. */
function refusedWith(live, reason) {
  assert.match(live.errors.pop() || 'nothing refused', reason);
  assert.deepEqual(live.errors, []);
}

/** Calls create_audio_clip on a slot's LiveAPI. */
function createClip({ LiveAPI }, slotPath, filePath = '/sounds/take 1.wav') {
  return new LiveAPI(slotPath).call('create_audio_clip', filePath);
}

test('create_audio_clip puts a clip in a free slot, and returns nothing', () => {
  const kit = setUp();
  assert.equal(createClip(kit, 'live_set tracks 0 clip_slots 2'), null);
  assert.deepEqual(kit.live.errors, []);
  const slot = new kit.LiveAPI('live_set tracks 0 clip_slots 2');
  assert.deepEqual([slot.get('has_clip'), slot.get('has_stop_button')], [[1], [1]]);
  const clip = new kit.LiveAPI('live_set tracks 0 clip_slots 2 clip');
  assert.deepEqual(clip.get('name'), ['take 1']);
  assert.deepEqual(clip.get('file_path'), ['/sounds/take 1.wav']);
  assert.deepEqual(clip.get('is_audio_clip'), [1]);
  assert.deepEqual(clip.get('is_midi_clip'), [0]);
  assert.deepEqual(clip.get('color'), new kit.LiveAPI('live_set tracks 0').get('color'));
});

test('create_audio_clip refuses an occupied slot, and its clip stays', () => {
  const kit = setUpClip();
  createClip(kit, 'live_set tracks 0 clip_slots 0');
  refusedWith(kit.live, /already has a clip/);
  assert.equal(kit.track.slots[0].clip, kit.clip);
});

test('create_audio_clip refuses MIDI, group and frozen tracks', () => {
  const kit = setUp();
  kit.live.song.addTrack({ kind: 'midi' });
  kit.live.song.addTrack({ kind: 'group' });
  kit.live.song.addTrack({ frozen: true });
  createClip(kit, 'live_set tracks 1 clip_slots 0');
  refusedWith(kit.live, /not an audio track/);
  createClip(kit, 'live_set tracks 2 clip_slots 0');
  refusedWith(kit.live, /not an audio track/);
  createClip(kit, 'live_set tracks 3 clip_slots 0');
  refusedWith(kit.live, /frozen/);
});

test('create_audio_clip needs an absolute path, of any system', () => {
  const kit = setUp();
  createClip(kit, 'live_set tracks 0 clip_slots 0', 'sounds/take.wav');
  refusedWith(kit.live, /not an absolute path/);
  createClip(kit, 'live_set tracks 0 clip_slots 0', 7);
  refusedWith(kit.live, /expected a symbol/);
  createClip(kit, 'live_set tracks 0 clip_slots 0', 'C:\\sounds\\take.wav');
  assert.deepEqual(kit.live.errors, []);
});

test('create_audio_clip reads the file, and refuses missing and other files', () => {
  const kit = setUp({ readWav });
  const good = writeWav({ frames: 1234, sampleRate: 32000, channels: 2 });
  const bad = [path.join(path.dirname(good), 'missing.wav'), writeFile('text.wav', 'no sound'),
    writeWav({ frames: 0 }), writeWav({ frames: 10, formatTag: 85 }), path.dirname(good)];
  bad.forEach((file) => {
    createClip(kit, 'live_set tracks 0 clip_slots 0', file);
    refusedWith(kit.live, /audio file/);
  });
  createClip(kit, 'live_set tracks 0 clip_slots 0', good);
  const clip = new kit.LiveAPI('live_set tracks 0 clip_slots 0 clip');
  assert.deepEqual(clip.get('sample_length'), [1234]);
  assert.deepEqual(clip.get('sample_rate'), [32000]);
});

test('by default the model reads real files', () => {
  const live = createLive({ clock: new FakeClock() });
  const clip = live.song.addAudioClip(live.song.addTrack(), 0, { path: writeWav({ frames: 99 }) });
  assert.equal(clip.file.frames, 99);
});

for (const [version, offered] of [['12.0.4', false], ['12.0.5', true], ['12.0.25', true],
  ['12.1', true], ['12', false], ['11.3.43', false]]) {
  test(`Live ${version} ${offered ? 'has' : 'lacks'} create_audio_clip, as info shows`, () => {
    const kit = setUp({ version });
    const slot = new kit.LiveAPI('live_set tracks 0 clip_slots 0');
    assert.equal(/function create_audio_clip/.test(slot.info), offered);
    assert.match(slot.info, /function delete_clip/);
    createClip(kit, 'live_set tracks 0 clip_slots 0');
    assert.equal(kit.track.slots[0].clip !== null, offered);
    assert.equal(kit.live.errors.length, offered ? 0 : 1);
  });
}

test('create_clip makes MIDI clips, only in free slots of MIDI tracks', () => {
  const { live, LiveAPI } = setUp();
  live.song.addTrack({ kind: 'midi' });
  new LiveAPI('live_set tracks 0 clip_slots 0').call('create_clip', 4);
  refusedWith(live, /not a MIDI track/);
  const slot = new LiveAPI('live_set tracks 1 clip_slots 0');
  slot.call('create_clip', 0);
  refusedWith(live, /greater than 0/);
  slot.call('create_clip', 4);
  slot.call('create_clip', 4);
  refusedWith(live, /already has a clip/);
  assert.deepEqual(new LiveAPI('live_set tracks 1 clip_slots 0 clip').get('length'), [4]);
});

test('delete_clip deletes the clip but not the file, and needs a clip', () => {
  const kit = setUp({ readWav });
  const file = writeWav({ frames: 100 });
  createClip(kit, 'live_set tracks 0 clip_slots 0', file);
  const slot = new kit.LiveAPI('live_set tracks 0 clip_slots 0');
  slot.call('delete_clip');
  assert.deepEqual(slot.get('has_clip'), [0]);
  assert.ok(fs.existsSync(file));
  assert.deepEqual(kit.live.errors, []);
  slot.call('delete_clip');
  refusedWith(kit.live, /empty/);
});

test('duplicate_clip_to replaces the clip in the other slot', () => {
  const { live, track, api, LiveAPI } = setUpClip();
  api.set('name', 'one');
  const slot = new LiveAPI('live_set tracks 0 clip_slots 0');
  slot.call('duplicate_clip_to', `id ${track.slots[1].id}`);
  api.set('name', 'two');
  slot.call('duplicate_clip_to', 'id', track.slots[1].id);
  assert.deepEqual(live.errors, []);
  assert.equal(track.slots[1].clip.name, 'two');
  assert.notEqual(track.slots[1].clip.id, track.slots[0].clip.id);
  assert.deepEqual(track.slots[1].clip.warp_markers, track.slots[0].clip.warp_markers);
  slot.call('duplicate_clip_to', `id ${track.id}`);
  refusedWith(live, /expected a clip slot/);
});

test('observers of has_clip are notified when clips are added, deleted and moved', () => {
  const { live, track, clip, LiveAPI } = setUpClip();
  const notified = [];
  new LiveAPI(([name, value]) => notified.push(`0 ${name} ${value}`),
    'live_set tracks 0 clip_slots 0').property = 'has_clip';
  new LiveAPI(([name, value]) => notified.push(`1 ${name} ${value}`),
    'live_set tracks 0 clip_slots 1').property = 'has_clip';
  live.song.moveClip(clip, track, 1);
  live.song.deleteClip(clip);
  new LiveAPI('live_set tracks 0 clip_slots 0').call('create_audio_clip', '/x.wav');
  assert.deepEqual(notified.filter((line) => / has_clip /.test(line)), ['0 has_clip 1',
    '1 has_clip 0', '1 has_clip 1', '0 has_clip 0', '1 has_clip 0', '0 has_clip 1']);
});

test('the user puts clips into fitting slots, and replaces clips there', () => {
  const { live, track, clip } = setUpClip();
  const group = live.song.addTrack({ kind: 'group' });
  const midi = live.song.addTrack({ kind: 'midi' });
  assert.throws(() => live.song.addAudioClip(group, 0, { path: '/x.wav' }), /no slot/);
  assert.throws(() => live.song.addMidiClip(track, 0, { lengthBeats: 4 }), /no slot/);
  assert.throws(() => live.song.addAudioClip(track, 99, { path: '/x.wav' }), /no slot/);
  assert.throws(() => live.song.moveClip(clip, midi, 0), /no slot/);
  const other = live.song.addAudioClip(track, 0, { path: '/x.wav' });
  assert.deepEqual([clip.alive, track.slots[0].clip], [false, other]);
});

test('a path to the clip of a slot is followed as clips are added and deleted', () => {
  const { live, track, clip, LiveAPI } = setUpClip();
  const notified = [];
  const path = new LiveAPI(([, id]) => notified.push(id), 'live_set tracks 0 clip_slots 1 clip');
  path.mode = 1;
  live.song.moveClip(clip, track, 1);
  assert.equal(path.id, String(clip.id));
  live.song.deleteClip(clip);
  assert.equal(path.id, '0');
  assert.deepEqual(notified, [clip.id, 0]);
});

test('each track has a colour of the palette', () => {
  const { live, LiveAPI } = setUp();
  live.song.addTrack();
  const [first, second] = [0, 1].map((at) => new LiveAPI(`live_set tracks ${at}`));
  assert.notDeepEqual(first.get('color'), second.get('color'));
  first.set('color', 0xfffffe);
  assert.deepEqual([first.get('color'), first.get('color_index')], [[0xffffff], [13]]);
  first.set('color_index', 69);
  assert.deepEqual(first.get('color'), [0x3c3c3c]);
  first.set('color_index', 70);
  refusedWith(live, /outside/);
});

test('a moved clip stays the same object, and stops', () => {
  const { live, track, clip, api } = setUpClip();
  api.call('fire');
  live.song.moveClip(clip, track, 1);
  assert.equal(api.unquotedpath, 'live_set tracks 0 clip_slots 1 clip');
  assert.equal(track.slots[0].clip, null);
  assert.deepEqual(api.get('is_playing'), [0]);
});

test('create_scene gives every track a slot, and returns the scene', () => {
  const { live, LiveAPI } = setUp({ scenes: 2 });
  live.song.addTrack({ kind: 'midi' });
  live.song.addTrack({ kind: 'return' });
  const song = new LiveAPI('live_set');
  const [word, id] = song.call('create_scene', -1);
  assert.equal(word, 'id');
  assert.equal(new LiveAPI(`id ${id}`).unquotedpath, 'live_set scenes 2');
  assert.deepEqual([0, 1].map((at) => new LiveAPI(`live_set tracks ${at}`).getcount('clip_slots')),
    [3, 3]);
  song.call('create_scene', 0);
  assert.equal(new LiveAPI(`id ${id}`).unquotedpath, 'live_set scenes 3');
  song.call('create_scene', 9);
  refusedWith(live, /outside/);
});

test('delete_scene deletes slots and clips; the last scene cannot be deleted', () => {
  const { live, LiveAPI } = setUpClip({ scenes: 2 });
  const song = new LiveAPI('live_set');
  const clip = new LiveAPI('live_set tracks 0 clip_slots 0 clip');
  song.call('delete_scene', 5);
  refusedWith(live, /out of range/);
  song.call('delete_scene', 0);
  assert.equal(clip.id, '0');
  assert.equal(live.song.tracks[0].slots.length, 1);
  song.call('delete_scene', 0);
  refusedWith(live, /last scene/);
});

test('tracks are created at an index and deleted, except the last one', () => {
  const { live, LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  const [, audio] = song.call('create_audio_track', 0);
  const [, midi] = song.call('create_midi_track', -1);
  song.call('create_audio_track');
  assert.equal(new LiveAPI(`id ${audio}`).unquotedpath, 'live_set tracks 0');
  assert.deepEqual(new LiveAPI(`id ${midi}`).get('has_midi_input'), [1]);
  assert.equal(new LiveAPI(`id ${audio}`).getcount('clip_slots'), live.song.scenes.length);
  assert.equal(song.getcount('tracks'), 4);
  assert.deepEqual(live.song.tracks.map(({ name }) => name),
    ['1-Audio', 'Hum', '3-MIDI', '4-Audio']);
  song.call('delete_track', 4);
  refusedWith(live, /out of range/);
  [0, 0, 0].forEach((at) => song.call('delete_track', at));
  song.call('delete_track', 0);
  refusedWith(live, /last track/);
});

test('the kinds of tracks differ in their properties', () => {
  const { live, LiveAPI } = setUp();
  live.song.addTrack({ kind: 'midi' });
  live.song.addTrack({ kind: 'group' });
  const of = (path) => ['has_audio_input', 'has_midi_input', 'is_foldable', 'can_be_armed']
    .map((name) => new LiveAPI(path).get(name)[0]);
  assert.deepEqual(of('live_set tracks 0'), [1, 0, 0, 1]);
  assert.deepEqual(of('live_set tracks 1'), [0, 1, 0, 1]);
  assert.deepEqual(of('live_set tracks 2'), [1, 0, 1, 0]);
  assert.deepEqual(new LiveAPI('live_set tracks 2 clip_slots 0').get('is_group_slot'), [1]);
});

test('returns and master have no slots, and cannot be armed', () => {
  const { live, LiveAPI } = setUp();
  live.song.addTrack({ kind: 'return' });
  ['live_set return_tracks 0', 'live_set master_track'].forEach((where) => {
    const track = new LiveAPI(where);
    assert.deepEqual(track.get('clip_slots'), []);
    assert.deepEqual(track.get('can_be_armed'), [0]);
    track.get('arm');
    refusedWith(live, /not available on return and master/);
    track.get('current_monitoring_state');
    refusedWith(live, /not available on return and master/);
    track.get('arrangement_clips');
    refusedWith(live, /not available/);
  });
});

test('arm and monitoring: only on tracks that have them', () => {
  const { live, track, LiveAPI } = setUp();
  live.song.addTrack({ kind: 'group' });
  const group = new LiveAPI('live_set tracks 1');
  group.set('arm', 1);
  refusedWith(live, /cannot be armed/);
  group.get('arm');
  refusedWith(live, /not available/);
  group.get('current_monitoring_state');
  refusedWith(live, /not available/);
  const audio = new LiveAPI('live_set tracks 0');
  audio.set('arm', 1);
  audio.set('current_monitoring_state', 0);
  assert.deepEqual([track.arm, track.current_monitoring_state], [true, 0]);
  audio.set('current_monitoring_state', 3);
  refusedWith(live, /outside/);
});

test('observers are notified when the user freezes a track', () => {
  const { live, track, LiveAPI } = setUp();
  const notified = [];
  new LiveAPI((message) => notified.push(message), 'live_set tracks 0').property = 'is_frozen';
  track.setFrozen(true);
  assert.deepEqual(notified.slice(1), [['is_frozen', 0], ['is_frozen', 1]]);
  assert.deepEqual(live.errors, []);
});

test('detail_clip, selected_track and selected_scene', () => {
  const { live, track, clip, LiveAPI } = setUpClip();
  const notified = [];
  const view = new LiveAPI((message) => notified.push(message), 'live_set view');
  view.property = 'detail_clip';
  live.song.selectClip(clip);
  assert.equal(new LiveAPI('live_set view detail_clip').id, String(clip.id));
  live.song.deleteClip(clip);
  assert.deepEqual(notified.slice(1),
    [['detail_clip', 'id', 0], ['detail_clip', 'id', clip.id], ['detail_clip', 'id', 0]]);
  view.set('selected_track', 'id', track.id);
  view.set('selected_scene', `id ${live.song.scenes[1].id}`);
  assert.equal(live.song.view.selected_scene, live.song.scenes[1]);
  view.set('selected_track', `id ${live.song.scenes[1].id}`);
  refusedWith(live, /must be a Track/);
});

test('a new set has a selection, and so has a set after a deletion', () => {
  const { live, track, LiveAPI } = setUp({ scenes: 3 });
  const view = new LiveAPI('live_set view');
  const [first, second] = live.song.scenes;
  assert.deepEqual(view.get('detail_clip'), ['id', 0]);
  assert.deepEqual(view.get('selected_track'), ['id', track.id]);
  assert.deepEqual(view.get('selected_scene'), ['id', first.id]);
  const other = live.song.addTrack();
  assert.deepEqual(view.get('selected_track'), ['id', track.id]);
  live.song.deleteTrack(other);
  assert.deepEqual(view.get('selected_track'), ['id', track.id]);
  const third = live.song.addTrack();
  live.song.deleteTrack(track);
  assert.deepEqual(view.get('selected_track'), ['id', third.id]);
  live.song.deleteScene(2);
  assert.deepEqual(view.get('selected_scene'), ['id', first.id]);
  live.song.deleteScene(0);
  assert.deepEqual(view.get('selected_scene'), ['id', second.id]);
});

test('the clip of a deleted track leaves the clip view', () => {
  const { live, track, clip, LiveAPI } = setUpClip();
  live.song.addTrack();
  live.song.selectClip(clip);
  live.song.deleteTrack(track);
  assert.equal(new LiveAPI('live_set view detail_clip').id, '0');
});

test('tracks can be moved', () => {
  const { live, track } = setUp();
  const [second, third] = [live.song.addTrack(), live.song.addTrack()];
  live.song.moveTrack(track, 1);
  assert.deepEqual(live.song.tracks, [second, track, third]);
});

test('observers of the set are notified of each change', () => {
  const { live, track, LiveAPI } = setUp({ scenes: 2 });
  const notified = [];
  const watch = (where, names) => names.forEach((name) => {
    const api = new LiveAPI(([property]) => property !== 'id' && notified.push(property), where);
    api.property = name;
  });
  watch('live_set', ['tempo', 'signature_numerator', 'signature_denominator', 'root_note',
    'scale_name', 'scale_mode', 'clip_trigger_quantization', 'tracks', 'return_tracks', 'scenes',
    'current_song_time']);
  watch('live_set tracks 0', ['name', 'color', 'color_index', 'mute', 'solo', 'arm',
    'current_monitoring_state', 'clip_slots']);
  watch('live_set scenes 0', ['name']);
  watch('live_set tracks 0 clip_slots 0', ['has_stop_button']);
  const toldBy = (change) => {
    notified.length = 0;
    change();
    return [...notified].sort();
  };
  const song = new LiveAPI('live_set');
  const first = new LiveAPI('live_set tracks 0');
  const meter = ['signature_denominator', 'signature_numerator'];
  assert.deepEqual(toldBy(() => song.set('tempo', 90)), ['tempo']);
  assert.deepEqual(toldBy(() => song.set('signature_numerator', 7)), meter);
  assert.deepEqual(toldBy(() => song.set('signature_denominator', 8)), meter);
  assert.deepEqual(song.get('signature_numerator'), [7]);
  assert.deepEqual(toldBy(() => song.set('root_note', 2)), ['root_note']);
  assert.deepEqual(toldBy(() => song.set('scale_name', 'Dorian')), ['scale_name']);
  assert.deepEqual(toldBy(() => song.set('scale_mode', 1)), ['scale_mode']);
  assert.deepEqual(toldBy(() => live.song.setScale(0, 'Major', false)),
    ['root_note', 'scale_mode', 'scale_name']);
  assert.deepEqual(toldBy(() => song.set('clip_trigger_quantization', 0)),
    ['clip_trigger_quantization']);
  assert.deepEqual(toldBy(() => song.set('current_song_time', 4)), ['current_song_time']);
  assert.deepEqual(toldBy(() => song.call('create_scene', -1)), ['clip_slots', 'scenes']);
  assert.deepEqual(toldBy(() => song.call('delete_scene', 2)), ['clip_slots', 'scenes']);
  assert.deepEqual(toldBy(() => song.call('create_audio_track', -1)), ['tracks']);
  assert.deepEqual(toldBy(() => song.call('create_return_track')), ['return_tracks']);
  assert.deepEqual(toldBy(() => live.song.moveTrack(track, 1)), ['tracks']);
  assert.deepEqual(toldBy(() => song.call('delete_track', 0)), ['tracks']);
  assert.deepEqual(toldBy(() => first.set('name', 'x')), ['name']);
  assert.deepEqual(toldBy(() => first.set('color', 0xffffff)), ['color', 'color_index']);
  assert.deepEqual(toldBy(() => first.set('color_index', 4)), ['color', 'color_index']);
  assert.deepEqual(toldBy(() => first.set('mute', 1)), ['mute']);
  assert.deepEqual(toldBy(() => first.set('solo', 1)), ['solo']);
  assert.deepEqual(toldBy(() => first.set('arm', 1)), ['arm']);
  assert.deepEqual(toldBy(() => first.set('current_monitoring_state', 2)),
    ['current_monitoring_state']);
  assert.deepEqual(toldBy(() => new LiveAPI('live_set scenes 0').set('name', 'x')), ['name']);
  const slot = new LiveAPI('live_set tracks 0 clip_slots 0');
  assert.deepEqual(toldBy(() => slot.set('has_stop_button', 0)), ['has_stop_button']);
  assert.deepEqual(slot.get('has_stop_button'), [0]);
  assert.deepEqual(live.errors, []);
});

test('a new set has default properties', () => {
  const { LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  assert.deepEqual(['root_note', 'scale_name', 'scale_mode', 'clip_trigger_quantization',
    'file_path', 'is_playing', 'current_song_time'].map((name) => song.get(name)[0]),
  [0, 'Major', 0, 4, '', 0, 0]);
  const track = new LiveAPI('live_set tracks 0');
  assert.deepEqual(['arm', 'mute', 'solo', 'current_monitoring_state', 'playing_slot_index',
    'fired_slot_index', 'is_frozen', 'is_grouped'].map((name) => track.get(name)[0]),
  [0, 0, 0, 1, -1, -1, 0, 0]);
  assert.deepEqual(new LiveAPI('live_set scenes 0').get('name'), ['']);
});

test('a track knows its group', () => {
  const { live, LiveAPI } = setUp();
  const group = live.song.addTrack({ kind: 'group' });
  live.song.addTrack({ group });
  const track = new LiveAPI('live_set tracks 2');
  assert.deepEqual([track.get('group_track'), track.get('is_grouped')], [['id', group.id], [1]]);
  assert.deepEqual(new LiveAPI('live_set tracks 0').get('group_track'), ['id', 0]);
});

test('the song\'s time advances while it plays, at its tempo', () => {
  const { live, clock, LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  clock.advance(500);
  assert.deepEqual(song.get('current_song_time'), [0]);
  live.song.play();
  clock.advance(1000);
  assert.deepEqual(song.get('current_song_time'), [2]);
  song.set('tempo', 60);
  clock.advance(1000);
  assert.deepEqual(song.get('current_song_time'), [3]);
  song.call('stop_playing');
  clock.advance(1000);
  assert.deepEqual(song.get('current_song_time'), [3]);
  song.set('is_playing', 1);
  clock.advance(1000);
  assert.deepEqual(song.get('current_song_time'), [4]);
  song.set('current_song_time', 16);
  assert.equal(live.song.beats, 16);
  song.call('stop_playing');
  song.call('continue_playing');
  assert.equal(live.song.beats, 16);
  song.call('stop_playing');
  song.call('start_playing');
  assert.deepEqual([live.song.beats, live.song.isPlaying], [0, true]);
});

test('observers are notified of play, of the time, and of stop', () => {
  const { live, clock, LiveAPI } = setUp();
  const playing = [];
  const times = [];
  new LiveAPI(([, value]) => playing.push(value), 'live_set').property = 'is_playing';
  new LiveAPI(([name, value]) => name !== 'id' && times.push(value), 'live_set')
    .property = 'current_song_time';
  live.song.play();
  clock.advance(1000);
  live.song.stop();
  clock.advance(1000);
  assert.deepEqual(playing.slice(1), [0, 1, 0]);
  assert.equal(times[0], 0);
  assert.equal(times[times.length - 1], 2);
  assert.ok(times.length > 10 && times.length < 40);
});

test('get_current_beats_song_time: bars.beats.sixteenths.ticks in the meter', () => {
  const { live, LiveAPI } = setUp();
  const song = new LiveAPI('live_set');
  const timeAt = (beats) => {
    live.song.seek(beats);
    return song.call('get_current_beats_song_time');
  };
  assert.deepEqual([0, 3.75, 4, 9.5].map(timeAt),
    ['001.01.01.000', '001.04.04.000', '002.01.01.000', '003.02.03.000']);
  live.song.setTimeSignature(7, 8);
  assert.deepEqual([3, 3.5, 7.5].map(timeAt), ['001.07.01.000', '002.01.01.000', '003.02.01.000']);
});

test('a set has a scale, a meter and a path', () => {
  const { live, LiveAPI } = setUp({ filePath: '/sets/one.als', numerator: 7, denominator: 8 });
  const song = new LiveAPI('live_set');
  live.song.setScale(9, 'Minor', true);
  assert.deepEqual(['root_note', 'scale_name', 'scale_mode', 'signature_numerator',
    'signature_denominator', 'file_path'].map((name) => song.get(name)[0]),
  [9, 'Minor', 1, 7, 8, '/sets/one.als']);
});

test('the model runs in real time by default', async () => {
  const live = createLive();
  live.song.play();
  await new Promise((resolve) => {
    setTimeout(resolve, 30);
  });
  assert.ok(live.song.beats > 0.04 && live.song.beats < 2);
  live.song.stop();
});
