'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { near } = require('./script_test_kit.js');
const { stageOf } = require('./stage.js');

describe('the connection', () => {
  test('without a daemon every button shows how to start one, and sends nothing', async (t) => {
    const device = await stageOf(t).addDevice();
    assert.equal(device.host.text('state'), 'not connected');
    const buttons = ['Generate', 'Hum to Clip', 'Last Bars', 'From Clip', 'Capture', 'Check'];
    for (const button of buttons) {
      device.press(button);
      assert.match(device.status, /melody-bridge run/);
    }
    const addresses = new Set(device.host.sent.map((message) => message.address));
    assert.deepEqual([...addresses], ['/bridge/subscribe']);
  });

  test('after a hello the light is green, and the device sends its clock', async (t) => {
    const device = (await stageOf(t).addDevice()).connect();
    assert.equal(device.host.text('state'), 'ready, pocket');
    const [red, green] = device.host.attribute('light', 'bgfillcolor');
    assert.ok(green > red);
    assert.equal(device.sent('/bridge/presets').length, 1);
    assert.deepEqual(device.last('/bridge/transport').values, [120, 0, 0, 4, 4, 1, 0]);
  });

  test('the device tries the next port when no hello comes back', async (t) => {
    const stage = stageOf(t);
    const device = await stage.addDevice();
    const first = device.port;
    stage.advance(1100);
    assert.equal(device.port, first + 1);
    assert.ok(stage.machine.bound.has(first + 1) && !stage.machine.bound.has(first));
    stage.advance(1000 * 40);
    assert.ok(device.port >= 7772 && device.port < 7772 + 32);
    assert.equal(device.connect().host.text('state'), 'ready, pocket');
  });

  test("another client's hello is ignored", async (t) => {
    const device = await stageOf(t).addDevice();
    device.receive('/bridge/hello', '0.1.0', 1, 'ready', 'pocket', 'somebody', '/tmp');
    assert.equal(device.host.text('state'), 'not connected');
  });

  test('the device notices within 15 s that the daemon is gone, and finds it again', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    stage.advance(60000);
    assert.equal(device.host.text('state'), 'ready, pocket');
    stage.daemonRuns = false;
    stage.advance(15000);
    assert.equal(device.host.text('state'), 'not connected');
    assert.equal(device.connect().host.text('state'), 'ready, pocket');
    assert.equal(device.sent('/bridge/presets').length, 2);
  });

  test('a restarted daemon gets the running request again, with its melody', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const hum = stage.selectHum();
    device.press('From Clip');
    const id = device.generate();
    stage.daemonRuns = false;
    stage.advance(20000);
    const before = device.host.sent.length;
    device.connect();
    const again = device.host.sent.slice(before).map(({ address, values }) => [address, values[0]]);
    const file = device.sent('/bridge/capture/file')[0].values;
    assert.deepEqual(again.slice(-2), [
      ['/bridge/capture/file', file[1] === hum ? file[0] : null],
      ['/bridge/generate', id],
    ]);
    assert.deepEqual(device.last('/bridge/generate'), device.sent('/bridge/generate')[0]);
  });

  test('a restarted daemon gets an older melody again with the next request', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    stage.selectHum();
    device.press('From Clip');
    const [id] = device.last('/bridge/capture/file').values;
    const before = device.host.sent.length;
    const request = device.generate();
    const sent = device.host.sent.slice(before).map(({ address, values }) => [address, values[0]]);
    assert.deepEqual(sent, [['/bridge/capture/file', id], ['/bridge/generate', request]]);
    // Bars that were played are lost with the old daemon: the device drops that melody.
    device.press('Last Bars');
    const lost = device.generate();
    device.receive('/bridge/error', lost, 'unknown-melody', 'no such melody.');
    assert.equal(device.host.text('melody'), 'no melody');
  });

  test('last bars are not requested again: they would be different bars', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.press('Hum to Clip');
    stage.daemonRuns = false;
    stage.advance(20000);
    device.connect();
    assert.equal(device.sent('/bridge/capture/last').length, 1);
    assert.ok(device.sent('/bridge/generate').length > 1);
  });

  test('the device asks again while Live does not answer yet', async (t) => {
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
    const device = await stage.addDevice();
    stage.advance(5000);
    assert.deepEqual(device.host.sent, []);
    isOpen = true;
    stage.advance(600);
    assert.equal(device.connect().host.text('state'), 'ready, pocket');
    device.render();
    assert.equal(stage.clips().filter(Boolean).length, 1);
  });

  test('a second bang, such as after a loaded preset, changes nothing', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const { client } = device;
    device.host.loadPreset();
    stage.song.setTempo(90);
    assert.equal(device.client, client);
    assert.equal(device.host.text('state'), 'ready, pocket');
    const sent = device.sent('/bridge/transport').filter(({ values }) => values[0] === 90);
    assert.equal(sent.length, 1);
  });

  test('two devices in a set have their own ports, names and requests', async (t) => {
    const stage = stageOf(t);
    const one = (await stage.addDevice()).connect();
    const other = await stage.addDevice(stage.song.addTrack({ name: 'Guitar' }));
    other.connect();
    assert.notEqual(one.port, other.port);
    assert.notEqual(one.client, other.client);
    const id = one.generate();
    // The daemon sends every event to every client.
    other.receive('/bridge/progress', id, 0.5, 3);
    other.receive('/bridge/error', id, 'disk-full', 'no room');
    assert.equal(other.status, '');
    const file = other.deliverClip(id);
    stage.settle();
    assert.equal(stage.clips().length, 0);
    one.deliverClip(id);
    stage.settle();
    assert.equal(stage.clips()[0].file_path, file);
  });

  test('a device that is removed unsubscribes', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    device.host.close();
    assert.deepEqual(device.last('/bridge/unsubscribe').values, [device.port]);
  });
});

describe('the clock', () => {
  test('is sent at once on every change', async (t) => {
    const stage = stageOf(t, { tempo: 93.7, numerator: 7, denominator: 8 });
    const device = (await stage.addDevice()).connect();
    const expected = [Math.fround(93.7), 0, 0, 7, 8];
    assert.deepEqual(device.last('/bridge/transport').values.slice(0, 5), expected);
    stage.song.setTempo(121.3);
    assert.equal(device.last('/bridge/transport').values[0], Math.fround(121.3));
    stage.song.setTimeSignature(3, 4);
    assert.deepEqual(device.last('/bridge/transport').values.slice(3, 5), [3, 4]);
    stage.song.play();
    assert.equal(device.last('/bridge/transport').values[2], 1);
  });

  test('is sent a few times a second while the song plays, with bar and beat', async (t) => {
    const stage = stageOf(t, { tempo: 120, numerator: 7, denominator: 8 });
    const device = (await stage.addDevice()).connect();
    stage.song.play();
    const before = device.sent('/bridge/transport').length;
    stage.advance(10000);
    const messages = device.sent('/bridge/transport').slice(before);
    assert.ok(messages.length >= 30 && messages.length <= 110, `${messages.length} in 10 s`);
    for (const { values } of messages) {
      const [, beat, playing, , , bar, beatInBar] = values;
      assert.equal(playing, 1);
      assert.equal(bar, Math.floor(beat / 3.5 + 1e-6) + 1);
      near(beatInBar, beat - (bar - 1) * 3.5, 1e-4);
    }
  });

  test('is sent at once when the song jumps', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    stage.song.play();
    stage.advance(1000);
    stage.song.seek(64);
    stage.advance(60);
    assert.ok(device.last('/bridge/transport').values[1] >= 64);
  });
});

describe('a lost message', () => {
  test('of the presets: the device asks for the list again', async (t) => {
    for (const loses of [[false, true], [false, false, true], [false, false, false, true]]) {
      const stage = stageOf(t);
      stage.presets = { a: 'one', b: 'two' };
      const device = await stage.addDevice();
      stage.daemonRuns = true;
      // The first answer is a hello; the list follows.
      stage.loses = loses;
      stage.advance(2000);
      device.generate();
      stage.advance(8000);
      assert.deepEqual(device.host.items('preset_menu'), ['No preset', 'a', 'b']);
    }
  });

  test('of the clips: the device asks again, but not forever', async (t) => {
    const stage = stageOf(t);
    const device = (await stage.addDevice()).connect();
    const id = device.generate();
    device.deliverClip(id, { index: 0, count: 2 });
    device.receive('/bridge/done', id, 2);
    assert.equal(device.sent('/bridge/generate').length, 2);
    device.deliverClip(id, { index: 0, count: 2 });
    device.deliverClip(id, { index: 1, count: 2 });
    device.receive('/bridge/done', id, 2);
    stage.settle();
    assert.equal(stage.clips().filter(Boolean).length, 2);
    assert.equal(device.sent('/bridge/generate').length, 2);
    const never = device.generate();
    for (let tries = 0; tries < 10; tries += 1) device.receive('/bridge/done', never, 1);
    assert.ok(device.sent('/bridge/generate').length < 8);
    assert.equal(device.host.text('time_left').trim(), '');
  });
});
