'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { setUp, setUpClip } = require('./live_test_kit.js');

// Four beats at 120 bpm.
const BAR_MS = 2000;

test('fire starts a stopped song and the clip at once', () => {
  const { live, clock, api, LiveAPI } = setUpClip();
  live.song.seek(1);
  api.call('fire');
  assert.deepEqual([api.get('is_playing'), api.get('is_triggered')], [[1], [0]]);
  assert.ok(live.song.isPlaying);
  assert.deepEqual(new LiveAPI('live_set tracks 0').get('playing_slot_index'), [0]);
  clock.advance(10);
  assert.deepEqual(live.errors, []);
});

test('fire waits for the bar while the song plays', () => {
  const { live, clock, api, LiveAPI } = setUpClip();
  const track = new LiveAPI('live_set tracks 0');
  live.song.play();
  clock.advance(BAR_MS / 4);
  api.call('fire');
  assert.deepEqual([api.get('is_playing'), api.get('is_triggered')], [[0], [1]]);
  assert.deepEqual(track.get('fired_slot_index'), [0]);
  clock.advance(BAR_MS * 0.75 - 5);
  assert.deepEqual(api.get('is_playing'), [0]);
  clock.advance(10);
  assert.deepEqual([api.get('is_playing'), api.get('is_triggered')], [[1], [0]]);
  assert.deepEqual(track.get('fired_slot_index'), [-1]);
});

/** When, in ms from a fire at 0.3 beats, a clip starts. */
function startMs({ own, songs, numerator = 4, denominator = 4 }) {
  const { live, clock, api, LiveAPI } = setUpClip({ numerator, denominator });
  api.set('launch_quantization', own);
  new LiveAPI('live_set').set('clip_trigger_quantization', songs);
  live.song.play();
  clock.advance(150);
  api.call('fire');
  let waited = 0;
  while (api.get('is_playing')[0] === 0 && waited < 40000) {
    clock.advance(1);
    waited += 1;
  }
  return waited;
}

test('clip and song count launch quantization differently', () => {
  assert.equal(startMs({ own: 1, songs: 4 }), 0);
  assert.equal(startMs({ own: 0, songs: 0 }), 0);
  assert.equal(startMs({ own: 0, songs: 4 }), 1850);
  assert.equal(startMs({ own: 5, songs: 0 }), 1850);
  assert.equal(startMs({ own: 4, songs: 0 }), 3850);
  assert.equal(startMs({ own: 2, songs: 0 }), 15850);
  assert.equal(startMs({ own: 8, songs: 0 }), 350);
  assert.equal(startMs({ own: 0, songs: 7 }), 350);
  assert.equal(startMs({ own: 14, songs: 0 }), 38);
  assert.equal(startMs({ own: 5, songs: 0, numerator: 7, denominator: 8 }), 1600);
});

test('a launch follows the tempo that changes while it waits', () => {
  const { live, clock, api } = setUpClip();
  live.song.play();
  clock.advance(1000);
  api.call('fire');
  live.song.setTempo(60);
  clock.advance(1999);
  assert.deepEqual(api.get('is_playing'), [0]);
  clock.advance(2);
  assert.deepEqual(api.get('is_playing'), [1]);
});

test('a launch is earlier when the tempo rises or the song jumps towards it', () => {
  const faster = setUpClip();
  faster.live.song.play();
  faster.clock.advance(1000);
  faster.api.call('fire');
  faster.live.song.setTempo(240);
  faster.clock.advance(501);
  assert.deepEqual(faster.api.get('is_playing'), [1]);
  const { live, clock, api } = setUpClip();
  live.song.play();
  clock.advance(500);
  api.call('fire');
  live.song.seek(3.9);
  clock.advance(51);
  assert.deepEqual(api.get('is_playing'), [1]);
});

test('a clip fired on the bar starts there', () => {
  const { live, clock, api } = setUpClip({ tempo: 120 });
  live.song.play();
  clock.advance(3 * BAR_MS);
  api.call('fire');
  assert.deepEqual(api.get('is_playing'), [1]);
});

test('a clip fired later replaces a waiting one', () => {
  const { live, clock, api, LiveAPI } = setUpClip();
  new LiveAPI('live_set tracks 0 clip_slots 1').call('create_audio_clip', '/x.wav');
  const other = new LiveAPI('live_set tracks 0 clip_slots 1 clip');
  api.set('launch_quantization', 8);
  live.song.play();
  clock.advance(100);
  api.call('fire');
  other.call('fire');
  assert.deepEqual([api.get('is_triggered'), other.get('is_triggered')], [[0], [1]]);
  clock.advance(BAR_MS / 2);
  assert.deepEqual(api.get('is_playing'), [0]);
  clock.advance(BAR_MS / 2);
  assert.deepEqual(other.get('is_playing'), [1]);
  api.set('launch_quantization', 0);
  api.call('fire');
  other.call('stop');
  assert.deepEqual(api.get('is_triggered'), [0]);
  clock.advance(BAR_MS);
  assert.deepEqual([api.get('is_playing'), other.get('is_playing')], [[0], [0]]);
});

test('stop and start do not make notifications of the time more frequent', () => {
  const { live, clock, LiveAPI } = setUp();
  let count = 0;
  new LiveAPI(() => {
    count += 1;
  }, 'live_set').property = 'current_song_time';
  for (let times = 0; times < 10; times += 1) {
    live.song.play();
    live.song.stop();
  }
  live.song.play();
  count = 0;
  clock.advance(1000);
  assert.equal(count, 20);
});

test('another clip of the track replaces the launch, and a stop of the song cancels it', () => {
  const { live, clock, api, LiveAPI } = setUpClip();
  new LiveAPI('live_set tracks 0 clip_slots 1').call('create_audio_clip', '/x.wav');
  const other = new LiveAPI('live_set tracks 0 clip_slots 1 clip');
  api.call('fire');
  clock.advance(100);
  other.call('fire');
  assert.deepEqual([api.get('is_playing'), other.get('is_playing')], [[1], [0]]);
  clock.advance(BAR_MS);
  assert.deepEqual([api.get('is_playing'), other.get('is_playing')], [[0], [1]]);
  api.call('fire');
  live.song.stop();
  assert.deepEqual(api.get('is_triggered'), [0]);
  live.song.play();
  clock.advance(2 * BAR_MS);
  assert.deepEqual([api.get('is_playing'), other.get('is_playing')], [[0], [1]]);
});

test('stop affects only the playing clip, and a deleted clip does not start', () => {
  const kit = setUpClip();
  const { live, clock, clip, api, LiveAPI } = kit;
  api.call('fire');
  clock.advance(100);
  api.call('stop');
  assert.deepEqual(api.get('is_playing'), [1]);
  clock.advance(BAR_MS);
  assert.deepEqual(api.get('is_playing'), [0]);
  api.call('fire');
  live.song.deleteClip(clip);
  clock.advance(2 * BAR_MS);
  assert.deepEqual(new LiveAPI('live_set tracks 0').get('playing_slot_index'), [-1]);
  assert.deepEqual(live.errors, []);
});

test('fire on an empty slot stops the track, or records when it is armed', () => {
  const { live, clock, api, track, LiveAPI } = setUpClip();
  const empty = new LiveAPI('live_set tracks 0 clip_slots 1');
  api.call('fire');
  clock.advance(100);
  empty.call('fire');
  clock.advance(BAR_MS);
  assert.deepEqual(api.get('is_playing'), [0]);
  assert.deepEqual(empty.get('is_recording'), [0]);
  live.song.stop();
  track.arm = true;
  empty.call('fire');
  assert.deepEqual(empty.get('is_recording'), [1]);
  assert.ok(live.song.isPlaying);
});

test('fire of a slot fires its clip, and stop of a slot stops its track', () => {
  const { clock, api, LiveAPI } = setUpClip();
  new LiveAPI('live_set tracks 0 clip_slots 0').call('fire');
  assert.deepEqual(api.get('is_playing'), [1]);
  clock.advance(100);
  new LiveAPI('live_set tracks 0 clip_slots 5').call('stop');
  clock.advance(BAR_MS);
  assert.deepEqual(api.get('is_playing'), [0]);
  for (const [where, name] of [['live_set', 'stop_all_clips'],
    ['live_set tracks 0', 'stop_all_clips']]) {
    api.call('fire');
    clock.advance(BAR_MS);
    assert.deepEqual(api.get('is_playing'), [1]);
    new LiveAPI(where).call(name);
    clock.advance(BAR_MS);
    assert.deepEqual(api.get('is_playing'), [0]);
  }
  api.set('is_playing', 1);
  clock.advance(BAR_MS);
  assert.deepEqual(api.get('is_playing'), [1]);
  api.set('is_playing', 0);
  clock.advance(BAR_MS);
  assert.deepEqual(api.get('is_playing'), [0]);
});

test('a clip stopped while the song is stopped does not play when the song continues', () => {
  const { live, api } = setUpClip();
  api.call('fire');
  live.song.stop();
  assert.deepEqual(api.get('is_playing'), [0]);
  live.song.play();
  assert.deepEqual(api.get('is_playing'), [1]);
  live.song.stop();
  api.call('stop');
  live.song.play();
  assert.deepEqual(api.get('is_playing'), [0]);
});

test('observers are notified of launches', () => {
  const { live, clock, api, LiveAPI } = setUpClip();
  const notified = [];
  const watch = (where, name) => {
    const watching = new LiveAPI(([property, value]) => property !== 'id'
      && notified.push(`${property} ${value}`), where);
    watching.property = name;
  };
  watch('live_set tracks 0', 'playing_slot_index');
  watch('live_set tracks 0', 'fired_slot_index');
  watch('live_set tracks 0 clip_slots 0', 'is_triggered');
  live.song.play();
  clock.advance(100);
  api.call('fire');
  clock.advance(BAR_MS);
  assert.deepEqual(notified, ['playing_slot_index -1', 'fired_slot_index -1', 'is_triggered 0',
    'fired_slot_index 0', 'is_triggered 1', 'fired_slot_index -1', 'is_triggered 0',
    'playing_slot_index 0']);
});

test('a track whose monitor is In does not sound its clips', () => {
  const { api, clip, track } = setUpClip();
  api.call('fire');
  assert.equal(clip.isHeard, true);
  track.setMonitoring(0);
  assert.equal(clip.isPlaying, true);
  assert.equal(clip.isHeard, false);
});
