'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { assertExact } = require('./script_test_kit.js');
const { stageOf } = require('./stage.js');

describe('the track for clips', () => {
  test("is made next to the device's own track, and found again", async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    stage.song.addTrack({ name: 'Drums' });
    const device = (await stage.addDevice(voice)).connect();
    device.render();
    device.render();
    assert.deepEqual(
      stage.song.tracks.map((track) => track.name),
      ['Voice', 'Melody Bridge', 'Drums'],
    );
    assert.equal(stage.clips().filter(Boolean).length, 2);
  });

  test('is found from a nested rack and from a return track', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    const chain = voice.addRack('Outer').addChain('A').addRack('Inner').addChain('B');
    const returnTrack = stage.song.addTrack({ name: 'Reverb', kind: 'return' });
    for (const parent of [chain, returnTrack]) {
      const device = await stage.addDevice(parent);
      device.connect().render();
      assert.equal(device.status, '');
    }
    assert.equal(stage.clips().filter(Boolean).length, 2);
  });

  test('is chosen in a menu without tracks that cannot take clips', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    stage.song.addTrack({ name: 'Bass', kind: 'midi' });
    stage.song.addTrack({ name: 'Drums', kind: 'group' });
    stage.song.addTrack({ name: 'Old', frozen: true });
    stage.song.addTrack({ name: 'My, "loops"' });
    const device = (await stage.addDevice(voice)).connect();
    assert.deepEqual(device.host.items('target_menu'), ['Automatic', 'My, "loops"']);
    device.host.choose('target_menu', 1);
    // Another track is inserted before it, and it is renamed: it stays the chosen track.
    stage.song.insertTrack(0, { name: 'Intro' });
    stage.track('My, "loops"').name = 'Loops';
    device.render();
    assert.equal(stage.clips('Loops').filter(Boolean).length, 1);
    assert.equal(stage.track('Melody Bridge'), undefined);
  });

  const faults = {
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
  for (const [words, breakTrack] of Object.entries(faults)) {
    test(`is refused before a request when it ${words}`, async (t) => {
      const stage = stageOf(t);
      const voice = stage.song.addTrack({ name: 'Voice' });
      const loops = stage.song.addTrack({ name: 'Loops' });
      const first = (await stage.addDevice(voice)).connect();
      first.host.choose('target_menu', 'Loops');
      stage.advance(2000);
      const parameters = first.host.save();
      breakTrack(stage, loops);
      stage.advance(100);
      // Both in this session, and in a set that was saved and opened again.
      const again = await stage.addDevice(voice, { parameters });
      again.connect();
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

  test('is never the track of the device itself', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    stage.song.addTrack({ name: 'Loops' });
    stage.advance(10);
    device.host.choose('target_menu', 'Loops');
    stage.live.moveDevice(device.host.device, stage.track('Loops'));
    assert.equal(device.generate(), undefined);
    assert.match(device.status, /“Loops” is this device's own/);
  });

  test('may freeze meanwhile: the clip waits until another track is chosen', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    const loops = stage.song.addTrack({ name: 'Loops' });
    stage.song.addTrack({ name: 'Other' });
    const device = (await stage.addDevice(voice)).connect();
    device.host.choose('target_menu', 'Loops');
    const id = device.generate();
    loops.setFrozen(true);
    const file = device.deliverClip(id);
    stage.settle();
    assert.match(device.status, /frozen/);
    assert.ok(!device.host.attribute('launch_a', 'active'));
    device.host.choose('target_menu', 'Other');
    stage.settle();
    assert.ok(device.host.attribute('launch_a', 'active'));
    assertExact(stage.clips('Other')[0], { beats: 8, seconds: 4, file });
  });
});

describe('a set', () => {
  test('keeps every value and text when it is saved and opened again', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    stage.song.addTrack({ name: 'Loops' });
    const device = (await stage.addDevice(voice)).connect();
    device.host.setValue('Bars', 16);
    device.host.setValue('Seed', 123456);
    device.press('Lock Seed');
    device.host.type('prompt_text', 'a, "b" é');
    device.host.choose('target_menu', 'Loops');
    stage.advance(2000);
    const parameters = device.host.save();
    device.host.close();
    const again = await stage.addDevice(voice, { parameters });
    again.connect();
    assert.equal(again.host.text('prompt_text'), 'a, "b" é');
    again.generate();
    const options = again.options('/bridge/generate', 1);
    assert.deepEqual([options.bars, options.seed, options.prompt], [16, 123456, 'a, "b" é']);
    again.deliverClip(again.last('/bridge/generate').values[0]);
    stage.settle();
    assert.equal(stage.clips('Loops').filter(Boolean).length, 1);
  });

  test('keeps the prompt of a preset, and the empty prompt of No preset', async (t) => {
    const stage = stageOf(t);
    stage.presets = { 'lofi-keys': 'warm rhodes' };
    let device = (await stage.addDevice()).connect();
    stage.advance(10);
    const reopened = async () => {
      stage.advance(2000);
      const parameters = device.host.save();
      device.host.close();
      device = (await stage.addDevice(stage.track('Voice'), { parameters })).connect();
      stage.advance(10);
      return device.host.text('prompt_text');
    };
    device.host.type('prompt_text', 'strings');
    stage.advance(2000);
    device.host.choose('preset_menu', 'lofi-keys');
    assert.equal(await reopened(), 'warm rhodes');
    assert.equal(device.host.text('preset_menu'), 'lofi-keys');
    device.host.choose('preset_menu', 'No preset');
    assert.equal(await reopened(), '');
  });

  test('sends clips to the track of the device preset that is loaded', async (t) => {
    const stage = stageOf(t);
    const voice = stage.song.addTrack({ name: 'Voice' });
    ['Loops', 'Other'].forEach((name) => stage.song.addTrack({ name }));
    const device = (await stage.addDevice(voice)).connect();
    device.host.choose('target_menu', 'Loops');
    stage.advance(2000);
    const parameters = device.host.save();
    device.host.choose('target_menu', 'Other');
    device.render();
    device.host.loadPreset(parameters);
    assert.equal(device.host.text('target_menu'), 'Loops');
    device.render();
    assert.deepEqual(
      ['Other', 'Loops'].map((name) => stage.clips(name).filter(Boolean).length),
      [1, 1],
    );
  });

  test('goes on working when its device is moved or duplicated', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const { device: liveDevice } = device.host;
    const guitar = stage.song.addTrack({ name: 'Guitar' });
    stage.live.moveDevice(liveDevice, guitar);
    stage.advance(100);
    device.render();
    assert.deepEqual(
      stage.song.tracks.map((track) => track.name),
      ['Voice', 'Guitar', 'Melody Bridge'],
    );
    const copy = await stage.addDevice(guitar, { parameters: device.host.save() });
    copy.connect().render();
    assert.notEqual(copy.client, device.client);
    assert.equal(stage.clips().filter(Boolean).length, 2);
  });
});
