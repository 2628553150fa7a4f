'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test } = require('node:test');

const { LIVES } = require('./script_test_kit.js');
const { SAMPLE_RATE, stageOf } = require('./stage.js');

describe('Live 12.0.4', () => {
  test('gets no clip: the device shows the path of the file, and Reveal its folder', async (t) => {
    const stage = stageOf(t, { version: '12.0.4' });
    const device = (await stage.addDevice()).connect();
    device.press('Reveal');
    assert.match(device.status, /No clip has been made/);
    const [file] = device.render();
    assert.ok(device.status.includes(file));
    assert.deepEqual(stage.live.errors, []);
    device.press('Reveal');
    assert.deepEqual(device.host.launched, [`file://${encodeURI(stage.folder)}`]);
  });
});

describe('Check', () => {
  for (const settings of LIVES) {
    test(`passes in the model of Live: ${JSON.stringify(settings)}`, async (t) => {
      const stage = stageOf(t, settings);
      const device = (await stage.addDevice()).connect();
      const tracks = stage.song.tracks.map((track) => track.name);
      device.press('Check');
      stage.advance(10000);
      assert.match(device.status, /^(\d+) of \1 agree/);
      const report = fs.readFileSync(`${stage.folder}/melody-bridge-check.txt`, 'utf8');
      assert.ok(report.split('\n').length > 15 && !report.includes('DIFFERS'), report);
      assert.deepEqual(stage.song.tracks.map((track) => track.name), tracks);
      assert.equal(stage.song.scenes.length, 8);
    });
  }

  test('keeps its scene if a clip was put there meanwhile', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.press('Check');
    stage.advance(2000);
    const mine = stage.wav('mine.wav', SAMPLE_RATE);
    assert.equal(stage.song.scenes.length, 9);
    stage.song.addAudioClip(stage.track('Voice'), 8, { path: mine });
    stage.advance(15000);
    assert.match(device.status, /^(\d+) of \1 agree/);
    assert.equal(stage.clips('Voice')[8].file_path, mine);
  });

  test('reports what differs', async (t) => {
    const stage = stageOf(t, { version: '12.0.4' });
    const device = (await stage.addDevice()).connect();
    device.press('Check');
    stage.advance(10000);
    const report = fs.readFileSync(`${stage.folder}/melody-bridge-check.txt`, 'utf8');
    assert.match(report, /DIFFERS {2}a slot offers create_audio_clip/);
    assert.match(device.status, /Please report/);
  });
});
