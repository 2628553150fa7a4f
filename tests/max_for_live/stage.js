'use strict';

/**
 * A set of Live with devices in it, for tests of the script: the committed patcher and script, the
 * model of Live, and a clock that the test advances. The test writes the daemon's messages;
 * test_live.py runs the same parts with the real daemon.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { createHost } = require('./max_host.js');
const { createLive } = require('./live_model.js');
const { manualClock } = require('./max_world.js');
const osc = require('./osc.js');

const PATCHER = path.join(__dirname, '..', '..', 'max_for_live', 'Melody Bridge.maxpat');
const SAMPLE_RATE = 44100;
const HELLO = ['0.1.0', 1, 'ready', 'pocket'];
const CLICK_MS = 100;
const BYTES_A_FRAME = 6;
const WAV_HEAD_BYTES = 44;

/**
 * The network of one machine: a port belongs to one device, and messages to a free port are lost.
 * @param {(message: object) => void} onSent receives the messages that devices send
 * @returns {{net: object, deliver: (port: number, message: object) => void}}
 */
function machine(onSent) {
  const bound = new Map();
  const net = {
    bind(port, onDatagram) {
      if (bound.has(port)) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
      bound.set(port, onDatagram);
      return { close: () => bound.delete(port) };
    },
    send: (address, port, bytes) => osc.decode(bytes).forEach(onSent),
    close() {},
  };
  return { net, bound, deliver: (port, message) => bound.get(port)?.(osc.encode(message)) };
}

/** @param {string} address @param {(string | number)[]} values */
function toMessage(address, values) {
  const types = values
    .map((value) => (typeof value === 'string' ? 's' : Number.isInteger(value) ? 'i' : 'f'))
    .join('');
  return { address, types, values };
}

/** A device on a track, as a test uses it. */
class TestDevice {
  constructor(stage, device, options = {}) {
    this.stage = stage;
    this.host = createHost({
      patcherPath: PATCHER,
      clock: stage.clock,
      live: stage.live,
      device,
      net: stage.machine.net,
      ...options,
    });
  }

  get port() {
    return this.last('/bridge/subscribe').values[0];
  }

  get client() {
    return this.last('/bridge/subscribe').values[1];
  }

  async load() {
    await this.host.load();
    return this;
  }

  /** Starts a daemon; returns once this device has found it. */
  connect() {
    this.stage.daemonRuns = true;
    for (let tries = 0; tries < 40 && !this.isConnected; tries += 1) this.stage.advance(500);
    if (!this.isConnected) throw new Error('the device does not connect');
    return this;
  }

  get isConnected() {
    return this.host.text('state') !== 'not connected';
  }

  /** Receives a message from the daemon. */
  receive(address, ...values) {
    this.stage.machine.deliver(this.port, toMessage(address, values));
    this.stage.advance(1);
  }

  /** The messages to the daemon at that address, in order. */
  sent(address) {
    return this.host.sent.filter((message) => message.address === address);
  }

  last(address) {
    return this.sent(address).at(-1);
  }

  /** The options of the newest message at that address: pairs from that argument on. */
  options(address, from) {
    const { values } = this.last(address);
    const pairs = {};
    for (let at = from; at < values.length; at += 2) pairs[values[at]] = values[at + 1];
    return pairs;
  }

  /** Clicks a button; the script switches it off again before the method returns. */
  press(button) {
    this.host.press(button);
    this.stage.advance(CLICK_MS);
  }

  /** Presses Generate; returns the request's id, or undefined if the device sent no request. */
  generate() {
    const before = this.sent('/bridge/generate').length;
    this.press('Generate');
    return this.sent('/bridge/generate')[before]?.values[0];
  }

  /**
   * Delivers a clip as the daemon does: writes its file and sends its message.
   * @param {string} id the id of the request
   * @param {object} [more] index, count, bars, tempo, numerator, denominator
   * @returns {string} the path of the file
   */
  deliverClip(id, more = {}) {
    const { index = 0, count = 1, bars = 2, tempo = 120, numerator = 4, denominator = 4 } = more;
    const seconds = (bars * 4 * numerator * 60) / (denominator * tempo);
    const name = `2026-11-25 lofi-keys ${tempo}bpm ${bars}bars seed${7 + index} ${id}`;
    const file = this.stage.wav(`${name}.wav`, Math.round(seconds * SAMPLE_RATE));
    this.receive(
      '/bridge/clip',
      ...[id, index, count, file, bars, tempo, 7 + index, 0.9],
      ...[numerator, denominator, SAMPLE_RATE, name],
    );
    return file;
  }

  /** Runs a whole request; returns the paths of its clips. */
  render(more = {}) {
    const id = this.generate();
    const count = more.count ?? 1;
    const files = Array.from({ length: count }, (_, index) =>
      this.deliverClip(id, { ...more, index, count }),
    );
    this.receive('/bridge/done', id, count);
    this.stage.settle();
    return files;
  }

  get status() {
    return this.host.text('status').trim();
  }
}

class Stage {
  constructor(settings = {}) {
    this.clock = manualClock();
    this.live = createLive({ ...settings, clock: this.clock });
    this.song = this.live.song;
    /** Whether there is a daemon that answers a subscription. */
    this.daemonRuns = false;
    /** The daemon's presets: prompts by name. */
    this.presets = {};
    /** For each of the next answers: whether it is lost. */
    this.loses = [];
    this.machine = machine((message) => this.onMessage(message));
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'melody-bridge-stage-'));
    this.devices = [];
  }

  /**
   * Adds a device to the set.
   * @param {object} [track] a track or a chain of a rack; without it a new audio track
   * @param {object} [options] options of the host
   */
  async addDevice(track = this.song.addTrack({ name: 'Voice' }), options = {}) {
    const device = new TestDevice(this, this.live.addDevice(track), options);
    this.devices.push(device);
    return device.load();
  }

  advance(ms) {
    this.clock.advance(ms);
  }

  /** Answers as the daemon does: to the port in the message, whichever device has it. */
  onMessage({ address, values }) {
    if (!this.daemonRuns) return;
    if (address === '/bridge/subscribe') {
      const [port, client] = values;
      this.answer(port, [['/bridge/hello', ...HELLO, client, this.folder]]);
    } else if (address === '/bridge/presets') {
      const [id] = values;
      const device = this.devices.find(({ client }) => id.startsWith(`${client}-`));
      const presets = Object.entries(this.presets);
      this.answer(device.port, [
        ...presets.map((preset, at) => ['/bridge/preset', id, at, presets.length, ...preset]),
        ['/bridge/done', id, presets.length],
      ]);
    }
  }

  answer(port, messages) {
    this.clock.setTimeout(() => {
      messages
        .filter(() => !this.loses.shift())
        .forEach(([address, ...values]) => this.machine.deliver(port, toMessage(address, values)));
    }, 1);
  }

  /** Gives Live time to apply changes. */
  settle() {
    this.advance(3000);
  }

  /** Writes a silent stereo file of 24 bits; returns its path. */
  wav(name, frames, sampleRate = SAMPLE_RATE) {
    const file = path.join(this.folder, name);
    const size = WAV_HEAD_BYTES + frames * BYTES_A_FRAME;
    const bytes = Buffer.alloc(WAV_HEAD_BYTES);
    bytes.write('RIFF', 0);
    bytes.writeUInt32LE(size - 8, 4);
    bytes.write('WAVEfmt ', 8);
    bytes.writeUInt32LE(16, 16);
    bytes.writeUInt16LE(1, 20);
    bytes.writeUInt16LE(2, 22);
    bytes.writeUInt32LE(sampleRate, 24);
    bytes.writeUInt32LE(sampleRate * BYTES_A_FRAME, 28);
    bytes.writeUInt16LE(BYTES_A_FRAME, 32);
    bytes.writeUInt16LE(24, 34);
    bytes.write('data', 36);
    bytes.writeUInt32LE(frames * BYTES_A_FRAME, 40);
    fs.writeFileSync(file, bytes);
    // Zeros, which take no room on the disk.
    fs.truncateSync(file, size);
    return file;
  }

  /** Puts a hum on the track Voice and selects its clip; returns the path of the file. */
  selectHum() {
    const file = this.wav('hum.wav', 4 * SAMPLE_RATE);
    const hum = { path: file, warping: false };
    this.song.selectClip(this.song.addAudioClip(this.track('Voice'), 0, hum));
    return file;
  }

  track(name) {
    return this.song.tracks.find((track) => track.name === name);
  }

  /** The clips of the automatic track, or of another one, slot by slot. */
  clips(name = 'Melody Bridge') {
    return (this.track(name)?.slots ?? []).map((slot) => slot.clip);
  }

  /** Closes the devices, and writes their messages where pytest checks them against the daemon. */
  close() {
    const folder = process.env.MELODY_BRIDGE_SENT;
    for (const { host } of this.devices) {
      host.close();
      if (folder) {
        const lines = host.sent.map((sent) => JSON.stringify([sent.address, sent.values]));
        fs.appendFileSync(path.join(folder, `${process.pid}.jsonl`), `${lines.join('\n')}\n`);
      }
    }
    fs.rmSync(this.folder, { recursive: true });
  }
}

/**
 * A stage that closes at the end of its test, and fails the test if a script has failed.
 * @param {import('node:test').TestContext} test
 * @param {object} [settings] settings of the model of Live
 */
function stageOf(test, settings) {
  const stage = new Stage(settings);
  test.after(() => stage.close());
  return stage;
}

module.exports = { SAMPLE_RATE, stageOf };
