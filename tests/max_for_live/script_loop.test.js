'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { LoopDaemon } = require('./loop_daemon.js');
const { LIVES, assertExact, near } = require('./script_test_kit.js');
const { SAMPLE_RATE, stageOf } = require('./stage.js');

// Four beats at 120 bpm.
const BAR_MS = 2000;
const STEP_MS = 5;
const QUANTIZATIONS = [0, 32, 16, 8, 4, 2, 4 / 3, 1, 2 / 3, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8];

/** A stage with a loop that has been started. */
async function looping(t, settings) {
  const stage = stageOf(t, settings);
  const daemon = new LoopDaemon(stage);
  const device = (await stage.addDevice()).connect();
  device.press('Loop');
  stage.advance(300);
  return { stage, daemon, device, song: stage.song };
}

/** A stage with a loop whose first clip plays, and a song that plays. */
async function playingLoop(t, settings) {
  const all = await looping(t, settings);
  all.song.play();
  const file = all.daemon.offer();
  all.stage.advance(3 * BAR_MS);
  assert.equal(all.stage.clips()[0].isPlaying, true);
  return { ...all, file };
}

const files = (stage, name) => stage.clips(name).filter(Boolean).map((clip) => clip.file_path);

/** Advances in small steps; returns each clip that began to play, and at which beat. */
function listen(stage, ms, track = stage.track('Melody Bridge')) {
  const began = [];
  let last = track?.playingClip ?? null;
  for (let step = 0; step < ms / STEP_MS; step += 1) {
    stage.advance(STEP_MS);
    const now = (track ?? stage.track('Melody Bridge'))?.playingClip ?? null;
    if (now !== last) began.push({ file: now && now.file_path, beat: stage.song.beats });
    last = now;
  }
  return began;
}

describe('Loop', () => {
  test('sends the settings of the device, and those that change meanwhile', async (t) => {
    const { stage, device } = await looping(t);
    const { values } = device.last('/bridge/loop/start');
    const options = device.options('/bridge/loop/start', 1);
    assert.equal(values[0], `${device.client}-${values[0].split('-').at(-1)}`);
    assert.deepEqual([options.deliver, options.bars, options.seed], ['live', 4, -1]);
    assert.ok(!('tempo_bpm' in options));
    stage.advance(5000);
    assert.equal(device.sent('/bridge/loop/set').length, 0);
    device.host.setValue('Bars', 2);
    device.press('Lock Seed');
    stage.advance(2000);
    const changed = device.options('/bridge/loop/set', 1);
    assert.deepEqual([changed.bars, changed.seed], [2, device.host.value('Seed')]);
    assert.equal(device.sent('/bridge/loop/start').length, 1);
  });

  for (const settings of LIVES) {
    test(`plays an exact clip from the bar that it reports, in ${JSON.stringify(settings)}`,
      async (t) => {
        const { stage, daemon, device, song } = await looping(t, settings);
        song.play();
        stage.advance(300);
        const file = daemon.offer();
        const [{ beat }] = listen(stage, 3 * BAR_MS);
        near(beat % 4, 0, 0.05);
        assertExact(stage.clips()[0], { beats: 8, seconds: 4, file });
        const report = device.sent('/bridge/loop/playing').find(({ values }) => values.length > 3);
        assert.equal(report.values[3], Math.round(beat));
        assert.match(daemon.newest.clip, /^2026-11-25 loop 120bpm 2bars seed1$/);
        assert.equal(stage.clips()[0].name, 'loop 120bpm 2bars seed1');
        assert.equal(device.status, '');
      });
  }

  test('puts each clip in the place of the last one, without a gap', async (t) => {
    const { stage, daemon, song } = await playingLoop(t, { scenes: 3 });
    const mine = stage.wav('mine.wav', SAMPLE_RATE);
    song.addAudioClip(stage.track('Melody Bridge'), 1, { path: mine });
    for (let round = 0; round < 5; round += 1) {
      stage.advance(700);
      const file = daemon.offer();
      const began = listen(stage, 4 * BAR_MS);
      assert.deepEqual(began.map((each) => each.file), [file]);
      near(began[0].beat % 4, 0, 0.05);
      assert.deepEqual(files(stage).sort(), [file, mine].sort());
      assert.equal(daemon.newest.next.name, '');
    }
    assert.equal(song.scenes.length, 3);
    assert.equal(stage.clips()[1].file_path, mine);
    assert.deepEqual(stage.live.errors, []);
  });

  test('reports the beat at which Live starts the clip, whatever the quantization', async (t) => {
    for (const [songs, grid] of QUANTIZATIONS.entries()) {
      for (const own of [0, songs + 1]) {
        const { stage, daemon, device, song } = await looping(t);
        song.seek(1.3);
        song.play();
        if (own === 0) song.clip_trigger_quantization = songs;
        else device.host.setValue('Launch Quantization', own);
        daemon.offer();
        const [{ beat }] = listen(stage, 20 * BAR_MS);
        const report = device.sent('/bridge/loop/playing').find(({ values }) => values.length > 3);
        // Without a grid it may begin before the next look.
        if (grid !== 0) near(report.values[3], beat, 0.03);
        if (grid !== 0) near(beat / grid, Math.round(beat / grid), 0.03 / grid);
      }
    }
  });

  test('does not start the song, waits for it, and goes on with it', async (t) => {
    const { stage, daemon, device, song } = await looping(t);
    const file = daemon.offer();
    stage.advance(5 * BAR_MS);
    assert.equal(song.isPlaying, false);
    assert.equal(device.host.text('loop_state'), 'waits for Live to play');
    assert.equal(daemon.newest.clip, '');
    song.play();
    stage.advance(2 * BAR_MS);
    const [clip] = stage.clips();
    assert.equal(clip.isPlaying, true);
    song.stop();
    stage.advance(2 * BAR_MS);
    assert.equal(daemon.newest.clip, '');
    assert.equal(daemon.newest.on, true);
    // A clip that was launched when the song stopped is launched again.
    const next = daemon.offer();
    song.play();
    stage.advance(500);
    song.stop();
    stage.advance(500);
    song.play();
    stage.advance(3 * BAR_MS);
    assert.deepEqual(files(stage), [next]);
    assert.notEqual(file, next);
    assert.match(daemon.newest.clip, /seed2$/);
  });

  test('stops in time and leaves its clip; pressed again, at once', async (t) => {
    const { stage, daemon, device, file } = await playingLoop(t);
    stage.advance(500);
    device.press('Loop');
    assert.equal(stage.clips()[0].isPlaying, true);
    stage.advance(2 * BAR_MS);
    assert.equal(stage.clips()[0].isPlaying, false);
    assert.deepEqual(files(stage), [file]);
    assert.equal(daemon.loops.size, 0);
    assert.equal(device.host.text('loop_state'), 'no loop');

    device.press('Loop');
    stage.advance(300);
    const other = daemon.offer();
    stage.advance(3 * BAR_MS);
    assert.deepEqual(files(stage), [file, other]);
    stage.advance(300);
    device.press('Loop');
    stage.advance(100);
    device.press('Loop');
    stage.advance(100);
    assert.deepEqual(files(stage), [file]);
    assert.equal(stage.track('Melody Bridge').playingClip, null);
    assert.equal(daemon.loops.size, 0);
  });

  test('stopped while the song is stopped, it does not go on with the song', async (t) => {
    const { stage, device, song } = await playingLoop(t);
    song.stop();
    stage.advance(500);
    device.press('Loop');
    stage.advance(500);
    song.play();
    stage.advance(2 * BAR_MS);
    assert.equal(stage.clips()[0].isPlaying, false);
  });

  test('a panic silences it at once', async (t) => {
    const { stage, daemon, device } = await playingLoop(t);
    daemon.offer();
    stage.advance(300);
    daemon.stop(daemon.newest, 1);
    daemon.publish(daemon.newest);
    stage.advance(50);
    assert.deepEqual(files(stage), []);
    assert.equal(device.host.text('loop_state'), 'no loop');
  });

  test('ends when the musician stops, replaces or deletes its clip', async (t) => {
    const ways = [
      ({ stage }) => stage.track('Melody Bridge').stopClip(stage.clips()[0]),
      ({ stage, song }) => {
        const mine = stage.wav('mine.wav', SAMPLE_RATE);
        song.addAudioClip(stage.track('Melody Bridge'), 3, { path: mine });
        stage.track('Melody Bridge').launch(stage.clips()[3]);
      },
      ({ stage, song }) => song.deleteClip(stage.clips()[0]),
      ({ stage, song }) => song.deleteTrack(stage.track('Melody Bridge')),
    ];
    for (const end of ways) {
      const all = await playingLoop(t);
      end(all);
      all.stage.advance(2 * BAR_MS);
      assert.match(all.device.status, /the loop is off/);
      assert.equal(all.daemon.loops.size, 0);
      assert.equal(all.song.isPlaying, true);
    }
  });

  test('a clip that the musician moves stays, and the next one follows it', async (t) => {
    const { stage, daemon, song, file } = await playingLoop(t);
    const elsewhere = song.addTrack({ name: 'Mine' });
    song.moveClip(stage.clips()[0], elsewhere, 2);
    elsewhere.launch(elsewhere.slots[2].clip);
    stage.advance(200);
    const next = daemon.offer();
    stage.advance(4 * BAR_MS);
    // It is the musician's now.
    assert.deepEqual(files(stage, 'Mine'), [file]);
    assert.deepEqual(files(stage), [next]);
  });

  test('a waiting clip that the musician deletes is refused, and the last one goes on',
    async (t) => {
      const { stage, daemon, device, song, file } = await playingLoop(t);
      song.clip_trigger_quantization = 1;
      daemon.offer();
      stage.advance(800);
      song.deleteClip(stage.clips()[1]);
      stage.advance(800);
      assert.equal(daemon.newest.refused.length, 1);
      assert.deepEqual(files(stage), [file]);
      // Another launch on the track takes its turn; the clip that lost it is deleted.
      daemon.offer();
      stage.advance(800);
      stage.track('Melody Bridge').launch(stage.clips()[0]);
      stage.advance(800);
      assert.equal(daemon.newest.refused.length, 2);
      assert.deepEqual(files(stage), [file]);
      const next = daemon.offer();
      song.clip_trigger_quantization = 4;
      stage.advance(3 * BAR_MS);
      assert.deepEqual(files(stage), [next]);
      assert.equal(device.status, '');
    });

  test('another track is used from the next clip on; a renamed one stays', async (t) => {
    const { stage, daemon, device, song } = await playingLoop(t);
    stage.track('Melody Bridge').name = 'Band';
    song.changed('tracks');
    const second = daemon.offer();
    stage.advance(3 * BAR_MS);
    assert.deepEqual(files(stage, 'Band'), [second]);
    song.addTrack({ name: 'Other' });
    stage.advance(100);
    device.host.choose('target_menu', 'Other');
    const third = daemon.offer();
    stage.advance(3 * BAR_MS);
    assert.deepEqual([files(stage, 'Band'), files(stage, 'Other')], [[], [third]]);
  });

  test('a clip that no slot takes is refused with the reason, and the loop goes on', async (t) => {
    const { stage, daemon, device, file } = await playingLoop(t);
    stage.track('Melody Bridge').setFrozen(true);
    device.host.choose('target_menu', 'Melody Bridge');
    daemon.offer();
    stage.advance(500);
    assert.match(device.status, /is frozen/);
    assert.equal(daemon.newest.refused.length, 1);
    assert.equal(daemon.newest.on, true);
    stage.track('Melody Bridge').setFrozen(false);
    const next = daemon.offer();
    stage.advance(3 * BAR_MS);
    assert.deepEqual(files(stage), [next]);
    assert.notEqual(next, file);
  });

  test('undo plays the clip before again', async (t) => {
    const { stage, daemon, file } = await playingLoop(t);
    daemon.offer();
    stage.advance(3 * BAR_MS);
    const name = file.replace(/^.*\//, '').replace('.wav', '');
    daemon.ask(daemon.newest, { name, path: file, bars: 2, meter: [4, 4] });
    stage.advance(3 * BAR_MS);
    assert.deepEqual(files(stage), [file]);
    assert.equal(daemon.newest.clip, name);
  });

  test('needs a daemon, a place for clips, and a Live that takes them', async (t) => {
    const stage = stageOf(t);
    const device = await stage.addDevice();
    device.press('Loop');
    assert.match(device.status, /melody-bridge run/);
    device.press('Freeze');
    assert.match(device.status, /no loop to freeze/);
    device.connect();
    stage.song.addTrack({ name: 'Gone' });
    stage.advance(100);
    device.host.choose('target_menu', 'Gone');
    stage.song.deleteTrack(stage.track('Gone'));
    device.press('Loop');
    assert.match(device.status, /Gone” is gone/);
    assert.equal(device.sent('/bridge/loop/start').length, 0);
    const older = stageOf(t, { version: '12.0.1' });
    const other = (await older.addDevice()).connect();
    other.press('Loop');
    assert.match(other.status, /12\.0\.5/);
  });

  test('plays on in a Live whose new clips stop when they are released', async (t) => {
    for (const launchMode of [1, 2, 3]) {
      const { stage, daemon } = await playingLoop(t, { launchMode });
      const next = daemon.offer();
      stage.advance(4 * BAR_MS);
      assert.deepEqual(files(stage), [next]);
      assert.equal(stage.clips().find(Boolean).isPlaying, true);
    }
  });

  test('a setting that the daemon refuses does not end it', async (t) => {
    const { stage, daemon, device } = await playingLoop(t);
    device.receive('/bridge/error', daemon.newest.id, 'unknown-preset', 'no preset has that name');
    assert.equal(device.status, 'no preset has that name');
    stage.advance(BAR_MS);
    assert.equal(stage.clips()[0].isPlaying, true);
    assert.equal(daemon.newest.on, true);
  });
});

describe('Freeze', () => {
  test('takes back the clip that waits, keeps the one that plays, and goes on', async (t) => {
    const { stage, daemon, device, song, file } = await playingLoop(t);
    song.clip_trigger_quantization = 1;
    daemon.offer();
    stage.advance(800);
    assert.equal(files(stage).length, 2);
    device.press('Freeze');
    stage.advance(100);
    assert.deepEqual(files(stage), [file]);
    assert.equal(device.host.text('loop_state'), 'plays, frozen');
    stage.advance(10 * BAR_MS);
    assert.equal(stage.clips()[0].isPlaying, true);
    // With the song stopped, nothing sounds and nothing is to come: the loop is still there.
    song.stop();
    stage.advance(5000);
    song.play();
    stage.advance(BAR_MS);
    assert.equal(stage.clips()[0].isPlaying, true);
    device.press('Freeze');
    stage.advance(100);
    assert.deepEqual(device.sent('/bridge/loop/freeze').map(({ values }) => values[1]), [1, 0]);
    assert.equal(device.host.text('loop_state'), 'plays, listens');
  });
});

describe('a loop and its daemon', () => {
  test('goes on with a daemon that was restarted, frozen as it was', async (t) => {
    const { stage, daemon, device, song, file } = await playingLoop(t);
    daemon.restart();
    assert.deepEqual(listen(stage, 5000), []);
    assert.equal(device.sent('/bridge/loop/start').length, 2);
    assert.match(daemon.newest.clip, /seed1$/);
    const next = daemon.offer();
    stage.advance(3 * BAR_MS);
    assert.deepEqual(files(stage), [next]);
    assert.notEqual(file, next);
    device.press('Freeze');
    song.stop();
    daemon.restart();
    stage.advance(5000);
    assert.equal(daemon.newest.isFrozen, true);
    assert.deepEqual(files(stage), [next]);
  });

  test('lost messages only delay it', async (t) => {
    const { stage, daemon } = await playingLoop(t);
    stage.loses = [true];
    const file = daemon.offer();
    stage.advance(10000);
    assert.deepEqual(files(stage), [file]);
  });

  test('pressed without a daemon, it ends', async (t) => {
    const { stage, device } = await playingLoop(t);
    stage.daemonRuns = false;
    stage.advance(15000);
    assert.equal(stage.clips()[0].isPlaying, true);
    device.press('Loop');
    stage.advance(100);
    assert.equal(device.host.text('loop_state'), 'no loop');
    assert.equal(stage.track('Melody Bridge').playingClip, null);
  });

  test('a remark is shown, and other loops are not its business', async (t) => {
    const { stage, daemon, device } = await looping(t);
    const { id } = daemon.newest;
    device.receive('/bridge/remark', id, 'nothing with a pitch was played');
    assert.equal(device.status, 'nothing with a pitch was played');
    device.receive('/bridge/remark', 'midi-loop', 'not for this device');
    device.receive('/bridge/loop', 'midi-loop', 'off', 'none', 1, 0, '', 0, 'output', '', '', 0, 0,
      0);
    const other = stage.wav('other.wav', SAMPLE_RATE);
    device.receive('/bridge/clip', 'loop:midi-loop.1', 0, 1, other, 2, 120, 7, 0.9, 4, 4,
      SAMPLE_RATE, 'other');
    assert.equal(device.status, 'nothing with a pitch was played');
    assert.deepEqual(files(stage), []);
  });

  test('one that the daemon refuses is over, and says why', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.press('Loop');
    const [id] = device.last('/bridge/loop/start').values;
    device.receive('/bridge/error', id, 'unknown-preset', 'no preset has that name');
    assert.equal(device.status, 'no preset has that name');
    assert.equal(device.host.text('loop_state'), 'no loop');
    device.receive('/bridge/error', id, 'unknown-id', 'no loop has that id');
    assert.equal(device.status, 'no preset has that name');
  });

  test('a device that is removed ends its loop', async (t) => {
    const { stage, daemon, device } = await playingLoop(t);
    device.host.close();
    stage.devices = [];
    assert.equal(daemon.loops.size, 0);
  });
});

describe('two devices', () => {
  test('loop on two tracks at once', async (t) => {
    const { stage, daemon, song, file } = await playingLoop(t);
    const first = daemon.newest;
    const other = (await stage.addDevice(song.addTrack({ name: 'Guitar' }))).connect();
    song.addTrack({ name: 'Second' });
    stage.advance(100);
    other.host.choose('target_menu', 'Second');
    other.press('Loop');
    stage.advance(300);
    const second = daemon.newest;
    assert.notEqual(first, second);
    const theirs = daemon.offer({ loop: second });
    stage.advance(3 * BAR_MS);
    assert.deepEqual([files(stage), files(stage, 'Second')], [[file], [theirs]]);
    assert.equal(stage.clips()[0].isPlaying, true);
    assert.equal(stage.clips('Second')[0].isPlaying, true);
  });
});
