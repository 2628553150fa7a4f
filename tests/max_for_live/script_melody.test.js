'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test } = require('node:test');

const { near } = require('./script_test_kit.js');
const { SAMPLE_RATE, stageOf } = require('./stage.js');

describe('the melody', () => {
  test('of a warped clip is the part that plays, by its warp markers', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const file = stage.wav('hum é, 1.wav', 20 * SAMPLE_RATE);
    const clip = stage.song.addAudioClip(stage.track('Voice'), 0, {
      path: file,
      warping: true,
      // 100 bpm to beat 8, then 120.
      warpMarkers: [
        { beat_time: 0, sample_time: 0.5 },
        { beat_time: 8, sample_time: 5.3 },
        { beat_time: 24, sample_time: 13.3 },
      ],
      looping: true,
      loopStart: 4,
      loopEnd: 12,
    });
    stage.song.selectClip(clip);
    device.press('From Clip');
    assert.equal(device.last('/bridge/capture/file').values[1], file);
    const options = device.options('/bridge/capture/file', 2);
    near(options.start_seconds, 2.9);
    near(options.length_seconds, 4.4);
    near(options.tempo_bpm, (8 * 60) / 4.4, 1e-4);
    assert.deepEqual([options.numerator, options.denominator], [4, 4]);
  });

  test('of a clip whose loop begins before its file starts at the first whole bar', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const clip = stage.song.addAudioClip(stage.track('Voice'), 0, {
      path: stage.wav('hum.wav', 10 * SAMPLE_RATE),
      warping: true,
      warpMarkers: [
        { beat_time: 0, sample_time: 0.25 },
        { beat_time: 16, sample_time: 8.25 },
      ],
      looping: true,
      loopStart: -2,
      loopEnd: 10,
    });
    stage.song.selectClip(clip);
    device.press('From Clip');
    const options = device.options('/bridge/capture/file', 2);
    near(options.start_seconds, 1.25);
    near(options.length_seconds, 4);
    near(options.tempo_bpm, 120);
  });

  test('of an unwarped clip is its part in seconds, at the tempo of the song', async (t) => {
    const stage = stageOf(t, { tempo: 97.5 });
    const device = (await stage.addDevice()).connect();
    const file = stage.wav('hum.wav', 10 * SAMPLE_RATE);
    const clip = stage.song.addAudioClip(stage.track('Voice'), 0, {
      path: file,
      startMarker: 1.25,
      endMarker: 7.5,
    });
    stage.song.selectClip(clip);
    device.press('From Clip');
    const options = device.options('/bridge/capture/file', 2);
    near(options.start_seconds, 1.25);
    near(options.length_seconds, 6.25);
    assert.equal(options.tempo_bpm, 97.5);
  });

  test('of a MIDI clip is its notes, in as many messages as needed', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const notes = Array.from({ length: 150 }, (_, at) => ({
      pitch: 60 + (at % 12),
      start_time: at / 8,
      duration: 0.125,
      mute: at === 20,
    }));
    const clip = stage.song.addMidiClip(stage.song.addTrack({ kind: 'midi' }), 0, {
      lengthBeats: 32,
      notes,
      loopStart: 2,
      loopEnd: 20,
    });
    stage.song.selectClip(clip);
    device.press('From Clip');
    const messages = device.sent('/bridge/capture/notes');
    assert.ok(messages.length > 1);
    const ids = new Set(messages.map(({ values }) => values[0]));
    assert.equal(ids.size, 1);
    assert.deepEqual(device.last('/bridge/capture/stop').values, [...ids]);
    // 18 beats are four bars and a half: five bars.
    assert.ok(messages.every(({ values }) => values[1] === 5));
    const notesSent = messages.flatMap(({ values }) => values.slice(2));
    const expected = notes
      .filter(({ start_time: at, mute }) => at >= 2 && at < 20 && !mute)
      .flatMap(({ pitch, start_time: at, duration }) => [at - 2, pitch, duration]);
    assert.deepEqual(notesSent, expected);
  });

  test('is refused with a reason when no clip is selected or the clip has no notes', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.press('From Clip');
    assert.match(device.status, /No clip is selected/);
    const midi = stage.song.addTrack({ kind: 'midi' });
    stage.song.selectClip(stage.song.addMidiClip(midi, 0, { lengthBeats: 4 }));
    device.press('From Clip');
    assert.match(device.status, /no notes/);
    assert.equal(device.sent('/bridge/capture/file').length, 0);
  });

  test('of Hum → clip is the last bars, and a request follows at once', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    device.host.setValue('Bars', 8);
    device.press('Hum to Clip');
    const [id, bars] = device.last('/bridge/capture/last').values;
    assert.equal(bars, 8);
    const options = device.options('/bridge/generate', 1);
    assert.equal(options.melody, id);
    assert.equal(options.bars, 8);
    assert.equal(device.host.text('melody'), 'last 8 bars');
  });

  test('of a mapped pad is captured once a hit, by notes or by controller values', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const ways = [
      () => device.host.hitNote('Hum to Clip'),
      () => {
        device.host.automate('Hum to Clip', 1);
        stage.advance(20);
        device.host.automate('Hum to Clip', 0);
      },
      () => {
        device.host.automate('Hum to Clip', 1);
        stage.advance(500);
        device.host.automate('Hum to Clip', 0);
      },
    ];
    let count = 0;
    for (const hit of [...ways, ...ways, ...ways]) {
      hit();
      count += 1;
      stage.advance(200);
      assert.equal(device.sent('/bridge/capture/last').length, count);
      assert.equal(device.sent('/bridge/generate').length, count);
      device.receive('/bridge/done', device.last('/bridge/generate').values[0], 0);
    }
    assert.equal(device.host.value('Hum to Clip'), 0);
  });

  test('is forgotten by No melody', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    device.press('Last Bars');
    device.press('No Melody');
    device.generate();
    assert.equal(device.options('/bridge/generate', 1).melody, 'none');
  });

  test('is dropped when the daemon refuses it', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    device.press('Last Bars');
    const [id] = device.last('/bridge/capture/last').values;
    device.receive('/bridge/error', id, 'not-enough-bars', 'only 1 bar has been heard');
    assert.equal(device.status, 'only 1 bar has been heard');
    assert.equal(device.host.text('melody'), 'no melody');
  });
});

describe('Capture', () => {
  /** A track's input with a click in each second of the clock. */
  const input = {
    sampleRate: SAMPLE_RATE,
    trackInput(startSeconds, frames) {
      const channel = new Float32Array(frames);
      const first = Math.round(startSeconds * SAMPLE_RATE);
      for (let at = 0; at < frames; at += 1) {
        if ((first + at) % SAMPLE_RATE === 0) channel[at] = 0.5;
      }
      return [channel, channel];
    },
  };

  test('records whole bars from the next bar line, and then sends the file', async (t) => {
    const stage = stageOf(t, { tempo: 90 });
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const device = (await stage.addDevice(voice, { audio: input })).connect();
    stage.song.play();
    stage.advance(3000);
    const beat = 3 * 1.5;
    device.host.setValue('Bars', 2);
    device.press('Capture');
    assert.equal(device.host.text('Capture'), 'Stop');
    assert.equal(device.host.text('melody'), 'recording 2 bars');
    const bar = (4 * 60) / 90;
    stage.advance(((8 - beat) / 1.5 + 2 * bar) * 1000);
    assert.equal(device.sent('/bridge/capture/file').length, 0);
    stage.advance(1000);
    const [id, file] = device.last('/bridge/capture/file').values;
    const options = device.options('/bridge/capture/file', 2);
    near(options.start_seconds, (8 - beat) / 1.5, 0.002);
    near(options.length_seconds, 2 * bar, 1e-5);
    assert.equal(options.tempo_bpm, 90);
    assert.ok(file.startsWith(stage.folder) && fs.statSync(file).size > 2 * bar * SAMPLE_RATE * 8);
    assert.equal(device.host.text('Capture'), 'Capture');
    assert.equal(device.host.text('melody'), '2 bars of this track');
    device.generate();
    assert.equal(device.options('/bridge/generate', 1).melody, id);
    device.receive('/bridge/error', id, 'silent-melody', 'the melody is silent.');
    assert.match(device.status, /silent\. Is the track armed/);
    device.press('Last Bars');
    const [last] = device.last('/bridge/capture/last').values;
    device.receive('/bridge/error', last, 'silent-melody', 'the melody is silent.');
    assert.equal(device.status, 'the melody is silent.');
  });

  test('starts at the first note while Live is stopped', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.arm = true;
    let sounds = false;
    const audio = {
      sampleRate: SAMPLE_RATE,
      trackInput: (at, frames) => [new Float32Array(frames).fill(sounds ? 0.3 : 0)],
    };
    const device = (await stage.addDevice(voice, { audio })).connect();
    device.host.setValue('Bars', 1);
    device.press('Capture');
    // Longer than the buffer: the recording starts again.
    stage.advance(23456);
    assert.equal(device.host.text('melody'), 'waiting for the first note');
    sounds = true;
    stage.advance(100);
    assert.equal(device.host.text('melody'), 'recording 1 bar');
    stage.advance(3900);
    const options = device.options('/bridge/capture/file', 2);
    const waited = 23.456 % 10.02;
    near(options.start_seconds, waited, 0.15);
    near(options.length_seconds, 2, 1e-6);
  });

  test('reports a file that cannot be written, and can be repeated', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const device = (await stage.addDevice(voice, { audio: input })).connect();
    stage.song.play();
    device.host.setValue('Bars', 1);
    const { folder } = stage;
    stage.folder = '/nowhere';
    stage.advance(4000);
    device.press('Capture');
    stage.advance(30000);
    assert.match(device.status, /could not write .nowhere/);
    device.press('Check');
    stage.advance(30000);
    assert.match(device.status, /could not write .nowhere/);
    stage.folder = folder;
    stage.advance(4000);
    device.press('Capture');
    stage.advance(5000);
    assert.equal(device.sent('/bridge/capture/file').length, 1);
  });

  test('and Check refuse to run at the same time', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const device = (await stage.addDevice(voice, { audio: input })).connect();
    stage.song.play();
    device.press('Check');
    for (const button of ['Capture', 'Generate', 'Hum to Clip', 'Check']) {
      device.press(button);
      assert.match(device.status, /Check is running/);
    }
    stage.advance(15000);
    assert.match(device.status, /agree/);
    device.press('Capture');
    device.press('Check');
    assert.match(device.status, /wait for it, then press Check/);
    assert.equal(device.sent('/bridge/capture/last').length, 0);
  });

  test('shows its progress, and its length at the end', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    device.press('Last Bars');
    const [id] = device.last('/bridge/capture/last').values;
    device.receive('/bridge/capture', id, 'recording', 1.5, -12);
    assert.equal(device.host.text('melody'), 'last 4 bars: recording 1.5 s');
    device.receive('/bridge/capture', id, 'done', 8, -12);
    assert.equal(device.host.text('melody'), 'last 4 bars');
  });

  test('is refused on a track without input, with advice', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.press('Capture');
    assert.match(device.status, /arm it, or set its Monitor to In/);
    stage.track('Voice').setMonitoring(2);
    stage.track('Voice').arm = true;
    device.press('Capture');
    assert.match(device.status, /Monitor to In/);
    assert.equal(device.host.text('Capture'), 'Capture');
  });

  test('ends at the nearest bar line when the button is pressed again', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const device = (await stage.addDevice(voice, { audio: input })).connect();
    stage.song.play();
    device.host.setValue('Bars', 16);
    device.press('Capture');
    stage.advance(2000 + 2 * 2000 - 300);
    device.press('Capture');
    stage.advance(1000);
    near(device.options('/bridge/capture/file', 2).length_seconds, 4, 1e-6);
    device.press('Capture');
    stage.advance(500);
    device.press('Capture');
    assert.match(device.status, /before its first bar/);
    assert.equal(device.sent('/bridge/capture/file').length, 1);
  });
});
