'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test } = require('node:test');

const { SAMPLE_RATE, stageOf } = require('./stage.js');

const EXACT_BEATS = 1e-6;
// Whether new clips start warped is a setting of the user's; whether a refused call throws into the
// script or only prints is told differently by different sources. All has to work in each.
const LIVES = [
  ...[true, false].flatMap((warpNewClips) =>
    [true, false].map((errorsThrow) => ({ warpNewClips, errorsThrow })),
  ),
  { idsAreNumbers: true },
  { singlePrecision: true },
  { dictsOnly: true },
  { dictsOnly: true, errorsThrow: true },
  { loopNewClips: true },
  { analysisMs: 400 },
  { analysisMs: 2000 },
];

function near(actual, expected, tolerance = EXACT_BEATS) {
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual} is not ${expected}`);
}

/** What a musician wants of a clip: N bars, from the file's first frame to its last. */
function assertStands(clip, { beats, seconds, file }) {
  assert.ok(clip, 'no clip');
  assert.equal(clip.file_path, file);
  assert.equal(clip.warping, true);
  assert.equal(clip.looping, true);
  near(clip.loop_start, 0);
  near(clip.loop_end, beats);
  near(clip.length, beats);
  near(clip.start_marker, 0);
  near(clip.end_marker, beats);
  const markers = clip.warp_markers.slice(0, -1);
  assert.equal(markers.length, 2);
  near(markers[0].beat_time, 0);
  near(markers[0].sample_time, 0);
  near(markers[1].beat_time, beats);
  near(markers[1].sample_time, seconds, 1 / SAMPLE_RATE);
}

describe('the connection', () => {
  test('without a daemon nothing is asked, and the device says how to start one', async (t) => {
    const seat = await stageOf(t).seat();
    assert.equal(seat.host.text('state'), 'not connected');
    const buttons = ['Generate', 'Hum to Clip', 'Last Bars', 'From Clip', 'Capture', 'Check'];
    for (const button of buttons) {
      seat.press(button);
      assert.match(seat.status, /melody-bridge run/);
    }
    const addresses = new Set(seat.host.sent.map((message) => message.address));
    assert.deepEqual([...addresses], ['/bridge/subscribe']);
  });

  test('a hello lights it up, and presets and the clock are asked and told', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    assert.equal(seat.host.text('state'), 'ready, pocket');
    const [red, green] = seat.host.attribute('light', 'bgfillcolor');
    assert.ok(green > red);
    assert.equal(seat.sent('/bridge/presets').length, 1);
    assert.deepEqual(seat.last('/bridge/transport').values, [120, 0, 0, 4, 4, 1, 0]);
  });

  test('a port that does not answer is left for the next one', async (t) => {
    const stage = stageOf(t);
    const seat = await stage.seat();
    const first = seat.port;
    stage.pass(1100);
    assert.equal(seat.port, first + 1);
    assert.ok(stage.machine.bound.has(first + 1) && !stage.machine.bound.has(first));
    stage.pass(1000 * 40);
    assert.ok(seat.port >= 7772 && seat.port < 7772 + 32);
    assert.equal(seat.greet().host.text('state'), 'ready, pocket');
  });

  test("another client's hello is not its own", async (t) => {
    const seat = await stageOf(t).seat();
    seat.told('/bridge/hello', '0.1.0', 1, 'ready', 'pocket', 'somebody', '/tmp');
    assert.equal(seat.host.text('state'), 'not connected');
  });

  test('a daemon that has gone is told within 15 s, and found again', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    stage.pass(60000);
    assert.equal(seat.host.text('state'), 'ready, pocket');
    stage.answers = false;
    stage.pass(15000);
    assert.equal(seat.host.text('state'), 'not connected');
    assert.equal(seat.greet().host.text('state'), 'ready, pocket');
    assert.equal(seat.sent('/bridge/presets').length, 2);
  });

  test('a request that a restarted daemon has lost is sent again, with its melody', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const hum = stage.selectHum();
    seat.press('From Clip');
    const id = seat.generate();
    stage.answers = false;
    stage.pass(20000);
    const before = seat.host.sent.length;
    seat.greet();
    const again = seat.host.sent.slice(before).map(({ address, values }) => [address, values[0]]);
    const file = seat.sent('/bridge/capture/file')[0].values;
    assert.deepEqual(again.slice(-2), [
      ['/bridge/capture/file', file[1] === hum ? file[0] : null],
      ['/bridge/generate', id],
    ]);
    assert.deepEqual(seat.last('/bridge/generate'), seat.sent('/bridge/generate')[0]);
  });

  test('a melody from before the daemon was restarted is told to it again', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    stage.selectHum();
    seat.press('From Clip');
    const [id] = seat.last('/bridge/capture/file').values;
    const before = seat.host.sent.length;
    const request = seat.generate();
    const sent = seat.host.sent.slice(before).map(({ address, values }) => [address, values[0]]);
    assert.deepEqual(sent, [['/bridge/capture/file', id], ['/bridge/generate', request]]);
    // The bars that were played are gone with it, and are not followed any more.
    seat.press('Last Bars');
    const lost = seat.generate();
    seat.told('/bridge/error', lost, 'unknown-melody', 'no such melody.');
    assert.equal(seat.host.text('melody'), 'no melody');
  });

  test('bars that were played are not asked for again: they would be other ones', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    seat.press('Hum to Clip');
    stage.answers = false;
    stage.pass(20000);
    seat.greet();
    assert.equal(seat.sent('/bridge/capture/last').length, 1);
    assert.ok(seat.sent('/bridge/generate').length > 1);
  });

  test('a Live that does not answer yet is asked again', async (t) => {
    const stage = stageOf(t);
    const { attach } = stage.live;
    let isOpen = false;
    stage.live.attach = (device, hooks) => {
      const { LiveAPI } = attach.call(stage.live, device, hooks);
      return {
        LiveAPI: class extends LiveAPI {
          get id() {
            return isOpen ? super.id : '0';
          }

          set id(id) {
            super.id = id;
          }
        },
      };
    };
    const seat = await stage.seat();
    stage.pass(5000);
    assert.deepEqual(seat.host.sent, []);
    isOpen = true;
    stage.pass(600);
    assert.equal(seat.greet().host.text('state'), 'ready, pocket');
    seat.render();
    assert.equal(stage.clips().filter(Boolean).length, 1);
  });

  test('a second bang, as of a loaded preset, changes nothing', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const { client } = seat;
    seat.host.loadPreset();
    stage.song.setTempo(90);
    assert.equal(seat.client, client);
    assert.equal(seat.host.text('state'), 'ready, pocket');
    assert.equal(seat.sent('/bridge/transport').filter(({ values }) => values[0] === 90).length, 1);
  });

  test('two devices in a set take a port and a name each, and mind only their own', async (t) => {
    const stage = stageOf(t);
    const one = (await stage.seat()).greet();
    const other = await stage.seat(stage.song.addTrack({ name: 'Guitar' }));
    other.greet();
    assert.notEqual(one.port, other.port);
    assert.notEqual(one.client, other.client);
    const id = one.generate();
    // Every event goes to every client.
    other.told('/bridge/progress', id, 0.5, 3);
    other.told('/bridge/error', id, 'disk-full', 'no room');
    assert.equal(other.status, '');
    const file = other.clip(id);
    stage.settle();
    assert.equal(stage.clips().length, 0);
    one.clip(id);
    stage.settle();
    assert.equal(stage.clips()[0].file_path, file);
  });

  test('a device that is removed says goodbye', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    seat.host.close();
    assert.deepEqual(seat.last('/bridge/unsubscribe').values, [seat.port]);
  });
});

describe('the clock', () => {
  test('every change is told at once', async (t) => {
    const stage = stageOf(t, { tempo: 93.7, numerator: 7, denominator: 8 });
    const seat = (await stage.seat()).greet();
    const expected = [Math.fround(93.7), 0, 0, 7, 8];
    assert.deepEqual(seat.last('/bridge/transport').values.slice(0, 5), expected);
    stage.song.setTempo(121.3);
    assert.equal(seat.last('/bridge/transport').values[0], Math.fround(121.3));
    stage.song.setTimeSignature(3, 4);
    assert.deepEqual(seat.last('/bridge/transport').values.slice(3, 5), [3, 4]);
    stage.song.play();
    assert.equal(seat.last('/bridge/transport').values[2], 1);
  });

  test('while it plays, a few times a second, with the bar and the beat in it', async (t) => {
    const stage = stageOf(t, { tempo: 120, numerator: 7, denominator: 8 });
    const seat = (await stage.seat()).greet();
    stage.song.play();
    const before = seat.sent('/bridge/transport').length;
    stage.pass(10000);
    const told = seat.sent('/bridge/transport').slice(before);
    assert.ok(told.length >= 30 && told.length <= 110, `${told.length} in 10 s`);
    for (const { values } of told) {
      const [, beat, playing, , , bar, beatInBar] = values;
      assert.equal(playing, 1);
      assert.equal(bar, Math.floor(beat / 3.5 + 1e-6) + 1);
      near(beatInBar, beat - (bar - 1) * 3.5, 1e-4);
    }
  });

  test('a jump is told at once', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    stage.song.play();
    stage.pass(1000);
    stage.song.seek(64);
    stage.pass(60);
    assert.ok(seat.last('/bridge/transport').values[1] >= 64);
  });
});

describe('the melody', () => {
  test('of a warped clip: the part that is heard, by its markers', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
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
    seat.press('From Clip');
    assert.equal(seat.last('/bridge/capture/file').values[1], file);
    const options = seat.options('/bridge/capture/file', 2);
    near(options.start_seconds, 2.9);
    near(options.length_seconds, 4.4);
    near(options.tempo_bpm, (8 * 60) / 4.4, 1e-4);
    assert.deepEqual([options.numerator, options.denominator], [4, 4]);
  });

  test('of a clip whose loop begins before its file: from the first whole bar on', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
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
    seat.press('From Clip');
    const options = seat.options('/bridge/capture/file', 2);
    near(options.start_seconds, 1.25);
    near(options.length_seconds, 4);
    near(options.tempo_bpm, 120);
  });

  test('of a clip that is not warped: its seconds, at the tempo of the song', async (t) => {
    const stage = stageOf(t, { tempo: 97.5 });
    const seat = (await stage.seat()).greet();
    const file = stage.wav('hum.wav', 10 * SAMPLE_RATE);
    const clip = stage.song.addAudioClip(stage.track('Voice'), 0, {
      path: file,
      startMarker: 1.25,
      endMarker: 7.5,
    });
    stage.song.selectClip(clip);
    seat.press('From Clip');
    const options = seat.options('/bridge/capture/file', 2);
    near(options.start_seconds, 1.25);
    near(options.length_seconds, 6.25);
    assert.equal(options.tempo_bpm, 97.5);
  });

  test('of a MIDI clip: its notes, in as many messages as they need', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
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
    seat.press('From Clip');
    const messages = seat.sent('/bridge/capture/notes');
    assert.ok(messages.length > 1);
    const ids = new Set(messages.map(({ values }) => values[0]));
    assert.equal(ids.size, 1);
    assert.deepEqual(seat.last('/bridge/capture/stop').values, [...ids]);
    // 18 beats are four bars and a half: five bars.
    assert.ok(messages.every(({ values }) => values[1] === 5));
    const heard = messages.flatMap(({ values }) => values.slice(2));
    const expected = notes
      .filter(({ start_time: at, mute }) => at >= 2 && at < 20 && !mute)
      .flatMap(({ pitch, start_time: at, duration }) => [at - 2, pitch, duration]);
    assert.deepEqual(heard, expected);
  });

  test('no clip is selected, or none with notes: the device says so', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    seat.press('From Clip');
    assert.match(seat.status, /No clip is selected/);
    const midi = stage.song.addTrack({ kind: 'midi' });
    stage.song.selectClip(stage.song.addMidiClip(midi, 0, { lengthBeats: 4 }));
    seat.press('From Clip');
    assert.match(seat.status, /no notes/);
    assert.equal(seat.sent('/bridge/capture/file').length, 0);
  });

  test('Hum → clip takes the last bars and makes a clip of them', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    seat.host.setValue('Bars', 8);
    seat.press('Hum to Clip');
    const [id, bars] = seat.last('/bridge/capture/last').values;
    assert.equal(bars, 8);
    const options = seat.options('/bridge/generate', 1);
    assert.equal(options.melody, id);
    assert.equal(options.bars, 8);
    assert.equal(seat.host.text('melody'), 'last 8 bars');
  });

  test('a mapped pad does it once each time, by notes or by controller values', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const ways = [
      () => seat.host.hitNote('Hum to Clip'),
      () => {
        seat.host.automate('Hum to Clip', 1);
        stage.pass(20);
        seat.host.automate('Hum to Clip', 0);
      },
      () => {
        seat.host.automate('Hum to Clip', 1);
        stage.pass(500);
        seat.host.automate('Hum to Clip', 0);
      },
    ];
    let count = 0;
    for (const hit of [...ways, ...ways, ...ways]) {
      hit();
      count += 1;
      stage.pass(200);
      assert.equal(seat.sent('/bridge/capture/last').length, count);
      assert.equal(seat.sent('/bridge/generate').length, count);
      seat.told('/bridge/done', seat.last('/bridge/generate').values[0], 0);
    }
    assert.equal(seat.host.value('Hum to Clip'), 0);
  });

  test('No melody forgets it', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    seat.press('Last Bars');
    seat.press('No Melody');
    seat.generate();
    assert.equal(seat.options('/bridge/generate', 1).melody, 'none');
  });

  test('a melody that the daemon refuses is not followed', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    seat.press('Last Bars');
    const [id] = seat.last('/bridge/capture/last').values;
    seat.told('/bridge/error', id, 'not-enough-bars', 'only 1 bar has been heard');
    assert.equal(seat.status, 'only 1 bar has been heard');
    assert.equal(seat.host.text('melody'), 'no melody');
  });
});

describe('Capture', () => {
  /** A track's input: a click each second of the clock, so that a place in it can be told. */
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

  test('whole bars from the next bar line, told when the file is whole', async (t) => {
    const stage = stageOf(t, { tempo: 90 });
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const seat = (await stage.seat(voice, { audio: input })).greet();
    stage.song.play();
    stage.pass(3000);
    const beat = 3 * 1.5;
    seat.host.setValue('Bars', 2);
    seat.press('Capture');
    assert.equal(seat.host.text('Capture'), 'Stop');
    assert.equal(seat.host.text('melody'), 'recording 2 bars');
    const bar = (4 * 60) / 90;
    stage.pass(((8 - beat) / 1.5 + 2 * bar) * 1000);
    assert.equal(seat.sent('/bridge/capture/file').length, 0);
    stage.pass(1000);
    const [id, file] = seat.last('/bridge/capture/file').values;
    const options = seat.options('/bridge/capture/file', 2);
    near(options.start_seconds, (8 - beat) / 1.5, 0.002);
    near(options.length_seconds, 2 * bar, 1e-5);
    assert.equal(options.tempo_bpm, 90);
    assert.ok(file.startsWith(stage.folder) && fs.statSync(file).size > 2 * bar * SAMPLE_RATE * 8);
    assert.equal(seat.host.text('Capture'), 'Capture');
    assert.equal(seat.host.text('melody'), '2 bars of this track');
    seat.generate();
    assert.equal(seat.options('/bridge/generate', 1).melody, id);
    seat.told('/bridge/error', id, 'silent-melody', 'the melody is silent.');
    assert.match(seat.status, /silent\. Is the track armed/);
    seat.press('Last Bars');
    const [last] = seat.last('/bridge/capture/last').values;
    seat.told('/bridge/error', last, 'silent-melody', 'the melody is silent.');
    assert.equal(seat.status, 'the melody is silent.');
  });

  test('while Live stands, from the first note', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.arm = true;
    let sounds = false;
    const audio = {
      sampleRate: SAMPLE_RATE,
      trackInput: (at, frames) => [new Float32Array(frames).fill(sounds ? 0.3 : 0)],
    };
    const seat = (await stage.seat(voice, { audio })).greet();
    seat.host.setValue('Bars', 1);
    seat.press('Capture');
    // Longer than the buffer waits: it begins again.
    stage.pass(23456);
    assert.equal(seat.host.text('melody'), 'waiting for the first note');
    sounds = true;
    stage.pass(100);
    assert.equal(seat.host.text('melody'), 'recording 1 bar');
    stage.pass(3900);
    const options = seat.options('/bridge/capture/file', 2);
    const waited = 23.456 % 10.02;
    near(options.start_seconds, waited, 0.15);
    near(options.length_seconds, 2, 1e-6);
  });

  test('says so when the file cannot be written, and can be done again', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const seat = (await stage.seat(voice, { audio: input })).greet();
    stage.song.play();
    seat.host.setValue('Bars', 1);
    const { folder } = stage;
    stage.folder = '/nowhere';
    stage.pass(4000);
    seat.press('Capture');
    stage.pass(30000);
    assert.match(seat.status, /could not write .nowhere/);
    seat.press('Check');
    stage.pass(30000);
    assert.match(seat.status, /could not write .nowhere/);
    stage.folder = folder;
    stage.pass(4000);
    seat.press('Capture');
    stage.pass(5000);
    assert.equal(seat.sent('/bridge/capture/file').length, 1);
  });

  test('and Check do not come in each other’s way', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const seat = (await stage.seat(voice, { audio: input })).greet();
    stage.song.play();
    seat.press('Check');
    for (const button of ['Capture', 'Generate', 'Hum to Clip', 'Check']) {
      seat.press(button);
      assert.match(seat.status, /Check is going on/);
    }
    stage.pass(15000);
    assert.match(seat.status, /agree/);
    seat.press('Capture');
    seat.press('Check');
    assert.match(seat.status, /wait for it, then press Check/);
    assert.equal(seat.sent('/bridge/capture/last').length, 0);
  });

  test('shows how far it is, and what it was when it is done', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    seat.press('Last Bars');
    const [id] = seat.last('/bridge/capture/last').values;
    seat.told('/bridge/capture', id, 'recording', 1.5, -12);
    assert.equal(seat.host.text('melody'), 'last 4 bars: recording 1.5 s');
    seat.told('/bridge/capture', id, 'done', 8, -12);
    assert.equal(seat.host.text('melody'), 'last 4 bars');
  });

  test('without an input it is refused, and the device says what to do', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    seat.press('Capture');
    assert.match(seat.status, /arm it, or set its Monitor to In/);
    stage.track('Voice').setMonitoring(2);
    stage.track('Voice').arm = true;
    seat.press('Capture');
    assert.match(seat.status, /Monitor to In/);
    assert.equal(seat.host.text('Capture'), 'Capture');
  });

  test('pressed again, it ends at the nearest bar line', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    voice.setMonitoring(0);
    const seat = (await stage.seat(voice, { audio: input })).greet();
    stage.song.play();
    seat.host.setValue('Bars', 16);
    seat.press('Capture');
    stage.pass(2000 + 2 * 2000 - 300);
    seat.press('Capture');
    stage.pass(1000);
    near(seat.options('/bridge/capture/file', 2).length_seconds, 4, 1e-6);
    seat.press('Capture');
    stage.pass(500);
    seat.press('Capture');
    assert.match(seat.status, /before its first bar/);
    assert.equal(seat.sent('/bridge/capture/file').length, 1);
  });
});

describe('a request', () => {
  test('has all that the device says, and a seed of its own', async (t) => {
    const stage = stageOf(t, { tempo: 93.7, numerator: 7, denominator: 8 });
    const seat = (await stage.seat()).greet();
    // While it is typed, it is `set` for a moment, which some of Max's objects obey.
    const prompt = 'settled, warm "rhodes", lo-fi; é, 90';
    seat.host.type('prompt_text', prompt);
    seat.host.setValue('Guidance', 4.5);
    seat.host.setValue('Temperature', 0.8);
    seat.host.setValue('Variations', 3);
    seat.generate();
    const options = seat.options('/bridge/generate', 1);
    assert.equal(options.prompt, prompt);
    near(options.guidance_scale, 4.5, 1e-5);
    near(options.temperature, 0.8, 1e-5);
    assert.deepEqual(
      [options.bars, options.tempo_bpm, options.numerator, options.denominator, options.variations],
      [4, Math.fround(93.7), 7, 8, 3],
    );
    assert.ok(Number.isInteger(options.seed) && options.seed >= 0 && options.seed < 2 ** 24);
    assert.equal(seat.host.value('Seed'), options.seed);
    assert.ok(!('key' in options) && !('preset' in options));
  });

  test('rounds what Live hands on as a float', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    seat.press('Lock Seed');
    seat.host.setValue('Seed', 4711.37);
    seat.host.setValue('Daemon Port', 7770.9995);
    seat.greet().generate();
    assert.equal(seat.options('/bridge/generate', 1).seed, 4711);
    assert.equal(seat.last('/bridge/generate').port, 7771);
  });

  test('keeps a seed that is locked', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    seat.host.setValue('Seed', 16777215);
    seat.press('Lock Seed');
    seat.generate();
    assert.equal(seat.options('/bridge/generate', 1).seed, 16777215);
    seat.told('/bridge/done', seat.last('/bridge/generate').values[0], 0);
    seat.press('Lock Seed');
    assert.equal(seat.host.value('Lock Seed'), 0);
    seat.press('Dice');
    const drawn = seat.host.value('Seed');
    seat.generate();
    const { seed } = seat.options('/bridge/generate', 1);
    assert.equal(seed, drawn);
    assert.notEqual(seed, 16777215);
    assert.equal(seat.host.value('Seed'), seed);
    assert.equal(seat.host.value('Lock Seed'), 1);
  });

  test("tells the song's key while its scale is on, and Song scale too", async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const key = () => {
      const id = seat.generate();
      seat.told('/bridge/done', id, 0);
      return seat.options('/bridge/generate', 1).key;
    };
    stage.song.setScale(9, 'Minor', true);
    assert.equal(key(), 'A minor');
    stage.song.setScale(3, 'Dorian', true);
    assert.equal(key(), 'Eb dorian');
    stage.song.setScale(3, 'Whole Tone', true);
    assert.equal(key(), undefined);
    stage.song.setScale(9, 'Minor', false);
    assert.equal(key(), undefined);
    stage.song.setScale(9, 'Minor', true);
    seat.press('Song Scale');
    assert.equal(key(), undefined);
  });

  test('names the preset, and the prompt only where it was changed', async (t) => {
    const stage = stageOf(t);
    const presets = { 'lofi-keys': 'warm rhodes, {tempo} bpm, {key}', techno: 'kick, synth bass' };
    stage.presets = presets;
    const seat = (await stage.seat()).greet();
    stage.pass(10);
    assert.deepEqual(seat.host.items('preset_menu'), ['No preset', 'lofi-keys', 'techno']);
    seat.host.choose('preset_menu', 'lofi-keys');
    assert.equal(seat.host.text('prompt_text'), presets['lofi-keys']);
    let request = seat.generate();
    let options = seat.options('/bridge/generate', 1);
    assert.equal(options.preset, 'lofi-keys');
    assert.ok(!('prompt' in options));
    seat.told('/bridge/done', request, 0);
    seat.host.type('prompt_text', 'strings');
    request = seat.generate();
    options = seat.options('/bridge/generate', 1);
    assert.deepEqual([options.preset, options.prompt], ['lofi-keys', 'strings']);
    seat.told('/bridge/done', request, 0);
    seat.host.choose('preset_menu', 'No preset');
    seat.generate();
    options = seat.options('/bridge/generate', 1);
    assert.ok(!('preset' in options) && !('prompt' in options));
  });

  test('shows how far it is and what is left, and can be cancelled', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    const id = seat.generate();
    seat.told('/bridge/progress', id, 0.25, 5.2);
    assert.equal(seat.host.text('time_left'), '6 s');
    assert.deepEqual([seat.host.value('progress')].flat(), [0.25]);
    const next = seat.generate();
    seat.told('/bridge/progress', id, 0.5, 3);
    assert.equal(seat.host.text('time_left'), '3 s +1');
    seat.press('Cancel');
    const cancelled = seat.sent('/bridge/cancel').map(({ values }) => values[0]);
    assert.deepEqual(cancelled, [id, next]);
    cancelled.forEach((each) => seat.told('/bridge/error', each, 'cancelled', 'cancelled'));
    assert.equal(seat.status, 'Cancelled.');
    assert.equal(seat.host.text('time_left').trim(), '');
    assert.deepEqual([seat.host.value('progress')].flat(), [0]);
    assert.notEqual(seat.generate(), undefined);
  });

  test('can be cancelled when the daemon is gone', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    seat.generate();
    stage.answers = false;
    stage.pass(15000);
    seat.press('Cancel');
    const before = seat.sent('/bridge/generate').length;
    seat.greet();
    stage.pass(10000);
    assert.equal(seat.sent('/bridge/generate').length, before);
    assert.equal(seat.host.text('time_left').trim(), '');
  });

  test('may follow another at once: each has its own clips', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const ids = [seat.generate(), seat.generate()];
    const files = ids.map((id) => {
      const file = seat.clip(id);
      seat.told('/bridge/done', id, 1);
      return file;
    });
    stage.settle();
    assert.deepEqual(stage.clips().slice(0, 2).map((clip) => clip.file_path), files);
    // The letters are the newest request's.
    seat.press('Discard A');
    assert.deepEqual(stage.clips().filter(Boolean).map((clip) => clip.file_path), [files[0]]);
  });

  test('that fails is told in the device', async (t) => {
    const seat = (await stageOf(t).seat()).greet();
    const id = seat.generate();
    seat.told('/bridge/error', id, 'unknown-melody', 'no melody x.');
    assert.equal(seat.status, 'no melody x. The daemon was restarted: play the melody again.');
    seat.told('/bridge/engine', 'failed', 'no such model');
    assert.match(seat.status, /no such model/);
    assert.equal(seat.host.text('state'), 'failed, pocket');
    seat.told('/bridge/engine', 'ready', '');
    assert.equal(seat.status, '');
    seat.told('/bridge/input', 'lost', 'Scarlett', 0);
    assert.match(seat.status, /lost its input Scarlett: is it still plugged in/);
    seat.told('/bridge/level', -12.5, -20);
    assert.equal(seat.host.value('daemon_meter'), -12.5);
  });
});

for (const settings of LIVES) {
  describe(`a clip, where ${JSON.stringify(settings)}`, () => {
    test('stands in the next free slot, exactly N bars, named, coloured and looping', async (t) => {
      const stage = stageOf(t, settings);
      const seat = (await stage.seat()).greet();
      seat.host.setValue('Launch Quantization', 5);
      const [file] = seat.render({ bars: 4 });
      const [clip] = stage.clips();
      assertStands(clip, { beats: 16, seconds: 8, file });
      assert.match(clip.name, /^lofi-keys 120bpm 4bars seed7/);
      assert.equal(clip.launch_quantization, 5);
      assert.equal(clip.warp_mode, 4);
      // The nearest of Live's colours to the device's orange.
      assert.ok((clip.color >> 16) > 0xe0 && (clip.color & 0xff) < 0x80);
      assert.equal(seat.status, '');
      assert.ok(seat.host.attribute('launch_a', 'active'));
      if (!settings.dictsOnly) assert.deepEqual(stage.live.errors, []);
    });

    test('is as exact in 7/8 at 93.7 bpm', async (t) => {
      const stage = stageOf(t, { ...settings, tempo: 93.7, numerator: 7, denominator: 8 });
      const seat = (await stage.seat()).greet();
      const more = { bars: 4, tempo: 93.7, numerator: 7, denominator: 8 };
      const [file] = seat.render(more);
      assertStands(stage.clips()[0], { beats: 14, seconds: (14 * 60) / 93.7, file });
    });

    test('is as exact whatever Live has guessed', async (t) => {
      const bent = [
        { beat_time: -2, sample_time: -0.5 },
        { beat_time: 0, sample_time: 0 },
        { beat_time: 3, sample_time: 1.7 },
        { beat_time: 4, sample_time: 2 },
      ];
      // The ends are right, and what lies between is not.
      for (const guess of [30, 59.99, 120, 174, 480, bent.slice(1), bent, bent.slice(2)]) {
        const stage = stageOf(t, { ...settings, guessTempo: () => guess });
        const seat = (await stage.seat()).greet();
        const [file] = seat.render({ bars: 1 });
        assertStands(stage.clips()[0], { beats: 4, seconds: 2, file });
      }
    });

    test('states the tempo that it was made at, when the song has another by then', async (t) => {
      const stage = stageOf(t, settings);
      const seat = (await stage.seat()).greet();
      const id = seat.generate();
      stage.song.setTempo(77);
      const file = seat.clip(id, { bars: 2, tempo: 120 });
      stage.settle();
      assertStands(stage.clips()[0], { beats: 8, seconds: 4, file });
      assert.match(stage.clips()[0].name, /120bpm/);
    });

    test('never takes the place of another, and makes a scene when all are taken', async (t) => {
      const stage = stageOf(t, { ...settings, scenes: 3 });
      const own = stage.song.addTrack({ name: 'Melody Bridge' });
      const seat = (await stage.seat()).greet();
      const mine = stage.wav('mine.wav', SAMPLE_RATE);
      [0, 2].forEach((at) => stage.song.addAudioClip(own, at, { path: mine }));
      const files = seat.render({ count: 3 });
      const paths = stage.clips().map((clip) => clip?.file_path);
      assert.deepEqual(paths, [mine, files[0], mine, files[1], files[2]]);
      assert.equal(stage.song.scenes.length, 5);
      assert.ok(stage.song.tracks.every((track) => track.slots.length === 5));
    });
  });
}

describe('variations', () => {
  test('go to slots of their own, in their colours, and can be launched', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const files = seat.render({ count: 4 });
    const clips = stage.clips().slice(0, 4);
    assert.deepEqual(clips.map((clip) => clip.file_path), files);
    assert.equal(new Set(clips.map((clip) => clip.color)).size, 4);
    seat.press('Launch C');
    stage.pass(3000);
    assert.equal(clips[2].isPlaying, true);
    assert.equal(clips[0].isPlaying, false);
  });

  test('auto-launch begins the first of them', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    seat.press('Auto Launch');
    seat.render({ count: 2 });
    stage.pass(5000);
    assert.deepEqual(stage.clips().slice(0, 2).map((clip) => clip.isPlaying), [true, false]);
  });

  test('that are told twice are placed once', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const id = seat.generate();
    seat.clip(id);
    // Nothing is heard of the request, so it is sent again.
    stage.pass(7000);
    assert.ok(seat.sent('/bridge/generate').length > 1);
    seat.clip(id);
    stage.settle();
    assert.equal(stage.clips().filter(Boolean).length, 1);
  });

  test('leave their slot before the daemon moves the file', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const files = seat.render({ count: 2 });
    const [, second] = stage.clips();
    // A musician has moved one, and made a copy.
    const elsewhere = stage.song.addTrack({ name: 'Loops' });
    stage.song.moveClip(second, elsewhere, 3);
    stage.song.addAudioClip(elsewhere, 5, { path: files[1] });
    let left = null;
    const { hear } = stage;
    stage.hear = (message) => {
      if (message.address === '/bridge/discard') left = stage.clips('Loops').filter(Boolean);
      else hear.call(stage, message);
    };
    seat.press('Discard B');
    assert.deepEqual(left, []);
    const [id, index] = seat.last('/bridge/discard').values;
    assert.deepEqual([id, index], [seat.last('/bridge/generate').values[0], 1]);
    assert.ok(!seat.host.attribute('launch_b', 'active'));
    assert.equal(stage.clips()[0].file_path, files[0]);
    seat.press('Discard B');
    assert.match(seat.status, /no clip B/);
    // In the Arrangement it would be left without its sound.
    const song = stage.song.addTrack({ name: 'Song' });
    stage.song.addTrack({ name: 'Drums', kind: 'group' });
    stage.song.arrangeAudioClip(song, { path: files[0] });
    seat.press('Discard A');
    assert.match(seat.status, /in the Arrangement/);
    assert.deepEqual(stage.live.errors, []);
    song.arranged.pop();
    // Its file could not be moved, so the clip stays.
    stage.answers = false;
    stage.pass(15000);
    seat.press('Discard A');
    assert.match(seat.status, /melody-bridge run/);
    assert.equal(stage.clips()[0].file_path, files[0]);
    assert.equal(seat.sent('/bridge/discard').length, 1);
  });
});

describe('the track for clips', () => {
  test("is made beside the device's own, and found again", async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    stage.song.addTrack({ name: 'Drums' });
    const seat = (await stage.seat(voice)).greet();
    seat.render();
    seat.render();
    assert.deepEqual(
      stage.song.tracks.map((track) => track.name),
      ['Voice', 'Melody Bridge', 'Drums'],
    );
    assert.equal(stage.clips().filter(Boolean).length, 2);
  });

  test('is found from a rack in a rack, from a return and from the main track', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    const chain = voice.addRack('Outer').addChain('A').addRack('Inner').addChain('B');
    const back = stage.song.addTrack({ name: 'Reverb', kind: 'return' });
    for (const place of [chain, back]) {
      const seat = await stage.seat(place);
      seat.greet().render();
      assert.equal(seat.status, '');
    }
    assert.equal(stage.clips().filter(Boolean).length, 2);
  });

  test('can be chosen, by a menu that leaves out what can take no clip', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    stage.song.addTrack({ name: 'Bass', kind: 'midi' });
    stage.song.addTrack({ name: 'Drums', kind: 'group' });
    stage.song.addTrack({ name: 'Old', frozen: true });
    stage.song.addTrack({ name: 'My, "loops"' });
    const seat = (await stage.seat(voice)).greet();
    assert.deepEqual(seat.host.items('target_menu'), ['Automatic', 'My, "loops"']);
    seat.host.choose('target_menu', 1);
    // Another track comes before it, and it is renamed: it is the same track.
    stage.song.insertTrack(0, { name: 'Intro' });
    stage.track('My, "loops"').name = 'Loops';
    seat.render();
    assert.equal(stage.clips('Loops').filter(Boolean).length, 1);
    assert.equal(stage.track('Melody Bridge'), undefined);
  });

  const wrongs = {
    'takes no audio': (stage, track) => {
      stage.song.deleteTrack(track);
      stage.song.addTrack({ name: 'Loops', kind: 'midi' });
    },
    'is a group': (stage, track) => {
      stage.song.deleteTrack(track);
      stage.song.addTrack({ name: 'Loops', kind: 'group' });
    },
    'is frozen': (stage, track) => track.setFrozen(true),
    'is gone': (stage, track) => stage.song.deleteTrack(track),
  };
  for (const [words, go] of Object.entries(wrongs)) {
    test(`is refused before anything is made when it ${words}`, async (t) => {
      const stage = stageOf(t);
      const voice = stage.song.addTrack({ name: 'Voice' });
      const loops = stage.song.addTrack({ name: 'Loops' });
      const first = (await stage.seat(voice)).greet();
      first.host.choose('target_menu', 'Loops');
      stage.pass(2000);
      const parameters = first.host.save();
      go(stage, loops);
      stage.pass(100);
      // In the session that it was chosen in, and in a set that was saved and opened again.
      const again = await stage.seat(voice, { parameters });
      again.greet();
      assert.equal(again.host.items('target_menu').at(-1), 'Loops');
      assert.equal(again.generate(), undefined);
      assert.ok(again.status.includes(words), again.status);
      assert.match(again.status, /“Loops”.*choose another/);
      if (words === 'is frozen' || words === 'is gone') {
        assert.equal(first.generate(), undefined);
        assert.ok(first.status.includes(words), first.status);
      }
    });
  }

  test('is never the one that the device is on', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    stage.song.addTrack({ name: 'Loops' });
    stage.pass(10);
    seat.host.choose('target_menu', 'Loops');
    stage.live.moveDevice(seat.host.device, stage.track('Loops'));
    assert.equal(seat.generate(), undefined);
    assert.match(seat.status, /“Loops” is this device's own/);
  });

  test('that freezes while a clip is made loses nothing: the clip waits for another', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    const loops = stage.song.addTrack({ name: 'Loops' });
    stage.song.addTrack({ name: 'Other' });
    const seat = (await stage.seat(voice)).greet();
    seat.host.choose('target_menu', 'Loops');
    const id = seat.generate();
    loops.setFrozen(true);
    const file = seat.clip(id);
    stage.settle();
    assert.match(seat.status, /frozen/);
    assert.ok(!seat.host.attribute('launch_a', 'active'));
    seat.host.choose('target_menu', 'Other');
    stage.settle();
    assert.ok(seat.host.attribute('launch_a', 'active'));
    assertStands(stage.clips('Other')[0], { beats: 8, seconds: 4, file });
  });
});

describe('a set', () => {
  test('that is saved and opened again has every value and text', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    stage.song.addTrack({ name: 'Loops' });
    const seat = (await stage.seat(voice)).greet();
    seat.host.setValue('Bars', 16);
    seat.host.setValue('Seed', 123456);
    seat.press('Lock Seed');
    seat.host.type('prompt_text', 'a, "b" é');
    seat.host.choose('target_menu', 'Loops');
    stage.pass(2000);
    const parameters = seat.host.save();
    seat.host.close();
    const again = await stage.seat(voice, { parameters });
    again.greet();
    assert.equal(again.host.text('prompt_text'), 'a, "b" é');
    again.generate();
    const options = again.options('/bridge/generate', 1);
    assert.deepEqual([options.bars, options.seed, options.prompt], [16, 123456, 'a, "b" é']);
    again.clip(again.last('/bridge/generate').values[0]);
    stage.settle();
    assert.equal(stage.clips('Loops').filter(Boolean).length, 1);
  });

  test('keeps the prompt that a preset has brought, and that No preset has cleared', async (t) => {
    const stage = stageOf(t);
    stage.presets = { 'lofi-keys': 'warm rhodes' };
    let seat = (await stage.seat()).greet();
    stage.pass(10);
    const reopened = async () => {
      stage.pass(2000);
      const parameters = seat.host.save();
      seat.host.close();
      seat = (await stage.seat(stage.track('Voice'), { parameters })).greet();
      stage.pass(10);
      return seat.host.text('prompt_text');
    };
    seat.host.type('prompt_text', 'strings');
    stage.pass(2000);
    seat.host.choose('preset_menu', 'lofi-keys');
    assert.equal(await reopened(), 'warm rhodes');
    assert.equal(seat.host.text('preset_menu'), 'lofi-keys');
    seat.host.choose('preset_menu', 'No preset');
    assert.equal(await reopened(), '');
  });

  test('loads a preset of the device with another track, and clips go there', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    ['Loops', 'Other'].forEach((name) => stage.song.addTrack({ name }));
    const seat = (await stage.seat(voice)).greet();
    seat.host.choose('target_menu', 'Loops');
    stage.pass(2000);
    const parameters = seat.host.save();
    seat.host.choose('target_menu', 'Other');
    seat.render();
    seat.host.loadPreset(parameters);
    assert.equal(seat.host.text('target_menu'), 'Loops');
    seat.render();
    assert.deepEqual(
      ['Other', 'Loops'].map((name) => stage.clips(name).filter(Boolean).length),
      [1, 1],
    );
  });

  test('whose device is moved or duplicated goes on', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const { device } = seat.host;
    const guitar = stage.song.addTrack({ name: 'Guitar' });
    stage.live.moveDevice(device, guitar);
    stage.pass(100);
    seat.render();
    assert.deepEqual(
      stage.song.tracks.map((track) => track.name),
      ['Voice', 'Guitar', 'Melody Bridge'],
    );
    const copy = await stage.seat(guitar, { parameters: seat.host.save() });
    copy.greet().render();
    assert.notEqual(copy.client, seat.client);
    assert.equal(stage.clips().filter(Boolean).length, 2);
  });
});

describe('what is lost on the way', () => {
  test('of the presets is asked for again', async (t) => {
    for (const loses of [[false, true], [false, false, true], [false, false, false, true]]) {
      const stage = stageOf(t);
      stage.presets = { a: 'one', b: 'two' };
      const seat = await stage.seat();
      stage.answers = true;
      // A hello, and then the list.
      stage.loses = loses;
      stage.pass(2000);
      seat.generate();
      stage.pass(8000);
      assert.deepEqual(seat.host.items('preset_menu'), ['No preset', 'a', 'b']);
    }
  });

  test('of the clips is asked for again, and not for ever', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    const id = seat.generate();
    seat.clip(id, { index: 0, count: 2 });
    seat.told('/bridge/done', id, 2);
    assert.equal(seat.sent('/bridge/generate').length, 2);
    seat.clip(id, { index: 0, count: 2 });
    seat.clip(id, { index: 1, count: 2 });
    seat.told('/bridge/done', id, 2);
    stage.settle();
    assert.equal(stage.clips().filter(Boolean).length, 2);
    assert.equal(seat.sent('/bridge/generate').length, 2);
    const never = seat.generate();
    for (let tries = 0; tries < 10; tries += 1) seat.told('/bridge/done', never, 1);
    assert.ok(seat.sent('/bridge/generate').length < 8);
    assert.equal(seat.host.text('time_left').trim(), '');
  });
});

describe('a text that Max could take for something else', () => {
  for (const prompt of ['90', 'init', 'bang', 'set', '$1', '0', 'text', '', ' ', 'text a, b']) {
    test(`is sent and kept as it is: '${prompt}'`, async (t) => {
      const stage = stageOf(t);
      const seat = (await stage.seat()).greet();
      seat.host.type('prompt_text', 'something else');
      seat.host.type('prompt_text', prompt);
      seat.generate();
      assert.equal(seat.options('/bridge/generate', 1).prompt, prompt === '' ? undefined : prompt);
      stage.pass(2000);
      const parameters = seat.host.save();
      seat.host.close();
      const again = (await stage.seat(stage.track('Voice'), { parameters })).greet();
      assert.equal(again.host.text('prompt_text'), prompt);
    });
  }
});

describe('an older Live', () => {
  test('has the path told, and its folder shown', async (t) => {
    const stage = stageOf(t, { version: '12.0.4' });
    const seat = (await stage.seat()).greet();
    seat.press('Reveal');
    assert.match(seat.status, /No clip has been made/);
    const [file] = seat.render();
    assert.ok(seat.status.includes(file));
    assert.deepEqual(stage.live.errors, []);
    seat.press('Reveal');
    assert.deepEqual(seat.host.launched, [`file://${encodeURI(stage.folder)}`]);
  });
});

describe('Check', () => {
  for (const settings of LIVES) {
    test(`agrees with the model, and leaves nothing: ${JSON.stringify(settings)}`, async (t) => {
      const stage = stageOf(t, settings);
      const seat = (await stage.seat()).greet();
      const tracks = stage.song.tracks.map((track) => track.name);
      seat.press('Check');
      stage.pass(10000);
      assert.match(seat.status, /^(\d+) of \1 agree/);
      const report = fs.readFileSync(`${stage.folder}/melody-bridge-check.txt`, 'utf8');
      assert.ok(report.split('\n').length > 15 && !report.includes('DIFFERS'), report);
      assert.deepEqual(stage.song.tracks.map((track) => track.name), tracks);
      assert.equal(stage.song.scenes.length, 8);
    });
  }

  test('leaves a clip alone that came into its scene meanwhile', async (t) => {
    const stage = stageOf(t);
    const seat = (await stage.seat()).greet();
    seat.press('Check');
    stage.pass(2000);
    const mine = stage.wav('mine.wav', SAMPLE_RATE);
    assert.equal(stage.song.scenes.length, 9);
    stage.song.addAudioClip(stage.track('Voice'), 8, { path: mine });
    stage.pass(15000);
    assert.match(seat.status, /^(\d+) of \1 agree/);
    assert.equal(stage.clips('Voice')[8].file_path, mine);
  });

  test('tells what differs', async (t) => {
    const stage = stageOf(t, { version: '12.0.4' });
    const seat = (await stage.seat()).greet();
    seat.press('Check');
    stage.pass(10000);
    const report = fs.readFileSync(`${stage.folder}/melody-bridge-check.txt`, 'utf8');
    assert.match(report, /DIFFERS {2}a slot offers create_audio_clip/);
    assert.match(seat.status, /Please report/);
  });
});
