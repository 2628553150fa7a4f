'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { near } = require('./script_test_kit.js');
const { stageOf } = require('./stage.js');

describe('a request', () => {
  test('has the values of all controls, and a new seed', async (t) => {
    const stage = stageOf(t, { tempo: 93.7, numerator: 7, denominator: 8 });
    const device = (await stage.addDevice()).connect();
    // While typed, the text is `set` for a moment, which some of Max's objects obey.
    const prompt = 'settled, warm "rhodes", lo-fi; é, 90';
    device.host.type('prompt_text', prompt);
    device.host.setValue('Guidance', 4.5);
    device.host.setValue('Temperature', 0.8);
    device.host.setValue('Variations', 3);
    device.generate();
    const options = device.options('/bridge/generate', 1);
    assert.equal(options.prompt, prompt);
    near(options.guidance_scale, 4.5, 1e-5);
    near(options.temperature, 0.8, 1e-5);
    assert.deepEqual(
      [options.bars, options.tempo_bpm, options.numerator, options.denominator, options.variations],
      [4, Math.fround(93.7), 7, 8, 3],
    );
    assert.ok(Number.isInteger(options.seed) && options.seed >= 0 && options.seed < 2 ** 24);
    assert.equal(device.host.value('Seed'), options.seed);
    assert.ok(!('key' in options) && !('preset' in options));
  });

  test('has whole numbers where Live passes floats', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    device.press('Lock Seed');
    device.host.setValue('Seed', 4711.37);
    device.host.setValue('Daemon Port', 7770.9995);
    device.connect().generate();
    assert.equal(device.options('/bridge/generate', 1).seed, 4711);
    assert.equal(device.last('/bridge/generate').port, 7771);
  });

  test('keeps a locked seed', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    device.host.setValue('Seed', 16777215);
    device.press('Lock Seed');
    device.generate();
    assert.equal(device.options('/bridge/generate', 1).seed, 16777215);
    device.receive('/bridge/done', device.last('/bridge/generate').values[0], 0);
    device.press('Lock Seed');
    assert.equal(device.host.value('Lock Seed'), 0);
    device.press('Dice');
    const drawn = device.host.value('Seed');
    device.generate();
    const { seed } = device.options('/bridge/generate', 1);
    assert.equal(seed, drawn);
    assert.notEqual(seed, 16777215);
    assert.equal(device.host.value('Seed'), seed);
    assert.equal(device.host.value('Lock Seed'), 1);
  });

  test("has the song's key while Live's scale and Song scale are both on", async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const key = () => {
      const id = device.generate();
      device.receive('/bridge/done', id, 0);
      return device.options('/bridge/generate', 1).key;
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
    device.press('Song Scale');
    assert.equal(key(), undefined);
  });

  test('has the name of the preset, and the prompt only if it was changed', async (t) => {
    const stage = stageOf(t);
    const presets = { 'lofi-keys': 'warm rhodes, {tempo} bpm, {key}', techno: 'kick, synth bass' };
    stage.presets = presets;
    const device = (await stage.addDevice()).connect();
    stage.advance(10);
    assert.deepEqual(device.host.items('preset_menu'), ['No preset', 'lofi-keys', 'techno']);
    device.host.choose('preset_menu', 'lofi-keys');
    assert.equal(device.host.text('prompt_text'), presets['lofi-keys']);
    let request = device.generate();
    let options = device.options('/bridge/generate', 1);
    assert.equal(options.preset, 'lofi-keys');
    assert.ok(!('prompt' in options));
    device.receive('/bridge/done', request, 0);
    device.host.type('prompt_text', 'strings');
    request = device.generate();
    options = device.options('/bridge/generate', 1);
    assert.deepEqual([options.preset, options.prompt], ['lofi-keys', 'strings']);
    device.receive('/bridge/done', request, 0);
    device.host.choose('preset_menu', 'No preset');
    device.generate();
    options = device.options('/bridge/generate', 1);
    assert.ok(!('preset' in options) && !('prompt' in options));
  });

  test('shows its progress and the time left, and can be cancelled', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    const id = device.generate();
    device.receive('/bridge/progress', id, 0.25, 5.2);
    assert.equal(device.host.text('time_left'), '6 s');
    assert.deepEqual([device.host.value('progress')].flat(), [0.25]);
    const next = device.generate();
    device.receive('/bridge/progress', id, 0.5, 3);
    assert.equal(device.host.text('time_left'), '3 s +1');
    device.press('Cancel');
    const cancelled = device.sent('/bridge/cancel').map(({ values }) => values[0]);
    assert.deepEqual(cancelled, [id, next]);
    cancelled.forEach((each) => device.receive('/bridge/error', each, 'cancelled', 'cancelled'));
    assert.equal(device.status, 'Cancelled.');
    assert.equal(device.host.text('time_left').trim(), '');
    assert.deepEqual([device.host.value('progress')].flat(), [0]);
    assert.notEqual(device.generate(), undefined);
  });

  test('can be cancelled while the daemon is gone', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.generate();
    stage.daemonRuns = false;
    stage.advance(15000);
    device.press('Cancel');
    const before = device.sent('/bridge/generate').length;
    device.connect();
    stage.advance(10000);
    assert.equal(device.sent('/bridge/generate').length, before);
    assert.equal(device.host.text('time_left').trim(), '');
  });

  test('can follow another at once: each gets its own clips', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const ids = [device.generate(), device.generate()];
    const files = ids.map((id) => {
      const file = device.deliverClip(id);
      device.receive('/bridge/done', id, 1);
      return file;
    });
    stage.settle();
    assert.deepEqual(stage.clips().slice(0, 2).map((clip) => clip.file_path), files);
    // The letters belong to the newest request.
    device.press('Discard A');
    assert.deepEqual(stage.clips().filter(Boolean).map((clip) => clip.file_path), [files[0]]);
  });

  test('that fails shows its error in the device', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    const id = device.generate();
    device.receive('/bridge/error', id, 'unknown-melody', 'no melody x.');
    assert.equal(device.status, 'no melody x. The daemon was restarted: play the melody again.');
    device.receive('/bridge/engine', 'failed', 'no such model');
    assert.match(device.status, /no such model/);
    assert.equal(device.host.text('state'), 'failed, pocket');
    device.receive('/bridge/engine', 'ready', '');
    assert.equal(device.status, '');
    device.receive('/bridge/input', 'lost', 'Scarlett', 0);
    assert.match(device.status, /lost its input Scarlett: is it still plugged in/);
    device.receive('/bridge/level', -12.5, -20);
    assert.equal(device.host.value('daemon_meter'), -12.5);
  });
});

describe('a prompt that Max could misread', () => {
  for (const prompt of ['90', 'init', 'bang', 'set', '$1', '0', 'text', '', ' ', 'text a, b']) {
    test(`is sent and kept unchanged: '${prompt}'`, async (t) => {
      const stage = stageOf(t);
      const device = (await stage.addDevice()).connect();
      device.host.type('prompt_text', 'something else');
      device.host.type('prompt_text', prompt);
      device.generate();
      const sent = device.options('/bridge/generate', 1).prompt;
      assert.equal(sent, prompt === '' ? undefined : prompt);
      stage.advance(2000);
      const parameters = device.host.save();
      device.host.close();
      const again = (await stage.addDevice(stage.track('Voice'), { parameters })).connect();
      assert.equal(again.host.text('prompt_text'), prompt);
    });
  }
});
