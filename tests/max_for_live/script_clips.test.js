'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { LIVES, assertExact } = require('./script_test_kit.js');
const { SAMPLE_RATE, stageOf } = require('./stage.js');

for (const settings of LIVES) {
  describe(`a clip, in a Live with ${JSON.stringify(settings)}`, () => {
    test('is in the next free slot: exactly N bars, named, coloured and looping', async (t) => {
      const stage = stageOf(t, settings);
      const device = (await stage.addDevice()).connect();
      device.host.setValue('Launch Quantization', 5);
      const [file] = device.render({ bars: 4 });
      const [clip] = stage.clips();
      assertExact(clip, { beats: 16, seconds: 8, file });
      assert.match(clip.name, /^lofi-keys 120bpm 4bars seed7/);
      assert.equal(clip.launch_quantization, 5);
      assert.equal(clip.warp_mode, 4);
      // The colour of Live's that is nearest to the device's orange.
      assert.ok((clip.color >> 16) > 0xe0 && (clip.color & 0xff) < 0x80);
      assert.equal(device.status, '');
      assert.ok(device.host.attribute('launch_a', 'active'));
      if (!settings.dictsOnly) assert.deepEqual(stage.live.errors, []);
    });

    test('is exact in 7/8 at 93.7 bpm', async (t) => {
      const stage = stageOf(t, { ...settings, tempo: 93.7, numerator: 7, denominator: 8 });
      const device = (await stage.addDevice()).connect();
      const more = { bars: 4, tempo: 93.7, numerator: 7, denominator: 8 };
      const [file] = device.render(more);
      assertExact(stage.clips()[0], { beats: 14, seconds: (14 * 60) / 93.7, file });
    });

    test('is exact whatever tempo and markers Live has guessed', async (t) => {
      const bent = [
        { beat_time: -2, sample_time: -0.5 },
        { beat_time: 0, sample_time: 0 },
        { beat_time: 3, sample_time: 1.7 },
        { beat_time: 4, sample_time: 2 },
      ];
      // The ends are right, but the markers between them are not.
      for (const guess of [30, 59.99, 120, 174, 480, bent.slice(1), bent, bent.slice(2)]) {
        const stage = stageOf(t, { ...settings, guessTempo: () => guess });
        const device = (await stage.addDevice()).connect();
        const [file] = device.render({ bars: 1 });
        assertExact(stage.clips()[0], { beats: 4, seconds: 2, file });
      }
    });

    test('keeps the tempo of its request when the song changes its tempo meanwhile', async (t) => {
      const stage = stageOf(t, settings);
      const device = (await stage.addDevice()).connect();
      const id = device.generate();
      stage.song.setTempo(77);
      const file = device.deliverClip(id, { bars: 2, tempo: 120 });
      stage.settle();
      assertExact(stage.clips()[0], { beats: 8, seconds: 4, file });
      assert.match(stage.clips()[0].name, /120bpm/);
    });

    test('never replaces a clip, and gets a new scene when all slots are taken', async (t) => {
      const stage = stageOf(t, { ...settings, scenes: 3 });
      const own = stage.song.addTrack({ name: 'Melody Bridge' });
      const device = (await stage.addDevice()).connect();
      const mine = stage.wav('mine.wav', SAMPLE_RATE);
      [0, 2].forEach((at) => stage.song.addAudioClip(own, at, { path: mine }));
      const files = device.render({ count: 3 });
      const paths = stage.clips().map((clip) => clip?.file_path);
      assert.deepEqual(paths, [mine, files[0], mine, files[1], files[2]]);
      assert.equal(stage.song.scenes.length, 5);
      assert.ok(stage.song.tracks.every((track) => track.slots.length === 5));
    });
  });
}

describe('variations', () => {
  test('go to separate slots, have separate colours, and can be launched', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const files = device.render({ count: 4 });
    const clips = stage.clips().slice(0, 4);
    assert.deepEqual(clips.map((clip) => clip.file_path), files);
    assert.equal(new Set(clips.map((clip) => clip.color)).size, 4);
    device.press('Launch C');
    stage.advance(3000);
    assert.equal(clips[2].isPlaying, true);
    assert.equal(clips[0].isPlaying, false);
  });

  test('are launched automatically: the first one only', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.press('Auto Launch');
    device.render({ count: 2 });
    stage.advance(5000);
    assert.deepEqual(stage.clips().slice(0, 2).map((clip) => clip.isPlaying), [true, false]);
  });

  test('are placed once when the daemon sends them twice', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const id = device.generate();
    device.deliverClip(id);
    // The daemon is silent about the request, so the device sends it again.
    stage.advance(7000);
    assert.ok(device.sent('/bridge/generate').length > 1);
    device.deliverClip(id);
    stage.settle();
    assert.equal(stage.clips().filter(Boolean).length, 1);
  });

  test('are deleted from their slots before the daemon moves the file', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const files = device.render({ count: 2 });
    const [, second] = stage.clips();
    // The user has moved a clip and made a copy.
    const elsewhere = stage.song.addTrack({ name: 'Loops' });
    stage.song.moveClip(second, elsewhere, 3);
    stage.song.addAudioClip(elsewhere, 5, { path: files[1] });
    let left = null;
    const { onMessage } = stage;
    stage.onMessage = (message) => {
      if (message.address === '/bridge/discard') left = stage.clips('Loops').filter(Boolean);
      else onMessage.call(stage, message);
    };
    device.press('Discard B');
    assert.deepEqual(left, []);
    const [id, index] = device.last('/bridge/discard').values;
    assert.deepEqual([id, index], [device.last('/bridge/generate').values[0], 1]);
    assert.ok(!device.host.attribute('launch_b', 'active'));
    assert.equal(stage.clips()[0].file_path, files[0]);
    device.press('Discard B');
    assert.match(device.status, /no clip B/);
    // A clip in the Arrangement would lose its sound.
    const song = stage.song.addTrack({ name: 'Song' });
    stage.song.addTrack({ name: 'Drums', kind: 'group' });
    stage.song.arrangeAudioClip(song, { path: files[0] });
    device.press('Discard A');
    assert.match(device.status, /in the Arrangement/);
    assert.deepEqual(stage.live.errors, []);
    song.arranged.pop();
    // Without a daemon its file cannot be moved, so the clip stays.
    stage.daemonRuns = false;
    stage.advance(15000);
    device.press('Discard A');
    assert.match(device.status, /melody-bridge run/);
    assert.equal(stage.clips()[0].file_path, files[0]);
    assert.equal(device.sent('/bridge/discard').length, 1);
  });
});
