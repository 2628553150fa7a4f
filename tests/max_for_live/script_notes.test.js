'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { LIVES, near } = require('./script_test_kit.js');
const { stageOf } = require('./stage.js');

// Start and length in beats with the pitch between them, and the velocity.
const TUNE = [[0, 60, 1, 90], [1.5, 62, 0.5, 33], [6, 64, 1.75, 127]];

/** The daemon's answer to `/bridge/notes`. */
function answer(device, notes = TUNE, lost = []) {
  const [id] = device.last('/bridge/notes').values;
  notes.forEach(([start, pitch, length, velocity], index) => {
    if (lost.includes(index)) return;
    device.receive('/bridge/note', id, index, notes.length, start, pitch, length, 0.9, velocity);
  });
  device.receive('/bridge/done', id, notes.length);
}

/** A device with two bars that are recorded. */
async function deviceWithMelody(stage) {
  const device = (await stage.addDevice()).connect();
  device.host.setValue('Bars', 2);
  device.press('Last Bars');
  device.receive('/bridge/done', device.last('/bridge/capture/last').values[0], 0);
  return device;
}

function notesOf(clip) {
  return clip.notes.map((note) => [note.start_time, note.pitch, note.duration, note.velocity]);
}

for (const settings of LIVES) {
  describe(`To MIDI, in a Live with ${JSON.stringify(settings)}`, () => {
    test('puts the notes into a clip of exact bars on a track of its own', async (t) => {
      const stage = stageOf(t, settings);
      const device = await deviceWithMelody(stage);
      device.press('To MIDI');
      answer(device);
      stage.settle();
      const [clip] = stage.clips('Melody Bridge MIDI');
      assert.deepEqual(notesOf(clip), TUNE);
      near(clip.length, 8);
      assert.equal(clip.looping, true);
      assert.equal(clip.name, 'last 2 bars');
      assert.equal(device.status, '');
      // No audio was asked for.
      assert.equal(device.sent('/bridge/generate').length, 0);
    });
  });
}

describe('To MIDI', () => {
  test('takes the selected MIDI track, its next free slot, and no occupied one', async (t) => {
    const stage = stageOf(t);
    const synth = stage.song.addTrack({ kind: 'midi', name: 'Synth' });
    const device = await deviceWithMelody(stage);
    const before = stage.song.addMidiClip(synth, 0, { lengthBeats: 4 });
    stage.song.view.select('selected_track', synth);
    for (let press = 0; press < 9; press += 1) {
      device.press('To MIDI');
      answer(device);
      stage.settle();
    }
    const clips = stage.clips('Synth');
    assert.equal(clips[0], before);
    assert.equal(before.notes.length, 0);
    // Nine more clips: Live had to make scenes.
    clips.slice(1, 10).forEach((clip) => assert.deepEqual(notesOf(clip), TUNE));
    assert.equal(stage.track('Melody Bridge MIDI'), undefined);
  });

  test('waits until the melody is recorded, and asks again for a lost message', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.host.setValue('Bars', 2);
    device.press('Last Bars');
    device.press('To MIDI');
    assert.equal(device.sent('/bridge/notes').length, 0);
    device.receive('/bridge/done', device.last('/bridge/capture/last').values[0], 0);
    assert.equal(device.sent('/bridge/notes').length, 1);
    answer(device, TUNE, [1]);
    stage.advance(7000);
    assert.ok(device.sent('/bridge/notes').length > 1);
    answer(device, TUNE);
    stage.settle();
    assert.deepEqual(notesOf(stage.clips('Melody Bridge MIDI')[0]), TUNE);
    assert.equal(stage.clips('Melody Bridge MIDI').filter(Boolean).length, 1);
  });

  test('cuts notes at the end of the bars', async (t) => {
    const stage = stageOf(t);
    const device = await deviceWithMelody(stage);
    device.press('To MIDI');
    answer(device, [[7, 60, 4, 90], [8.5, 62, 1, 90]]);
    stage.settle();
    assert.deepEqual(notesOf(stage.clips('Melody Bridge MIDI')[0]), [[7, 60, 1, 90]]);
  });

  test('says what is missing', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.press('To MIDI');
    assert.match(device.status, /No melody/);
    device.press('Last Bars');
    device.receive('/bridge/done', device.last('/bridge/capture/last').values[0], 0);
    device.press('To MIDI');
    answer(device, []);
    assert.match(device.status, /no notes/);
    device.press('To MIDI');
    stage.advance(30000);
    assert.match(device.status, /sends no notes/);
    assert.equal(stage.track('Melody Bridge MIDI'), undefined);
  });
});
