'use strict';

/**
 * A set of Live with devices in it, for tests of the script: the committed patcher and script, the
 * model of Live, a clock that is moved by hand. What a daemon tells is typed in by the test; with
 * the real daemon the same parts play in test_live.py.
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
 * The network of one machine: a port is one device's, and what is sent to nobody is lost.
 * @param {(message: object) => void} onSent hears what devices send
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

/** A device on a track, and what a test does with it. */
class Seat {
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

  /** From now on there is a daemon; returns once this device has found it. */
  greet() {
    this.stage.answers = true;
    for (let tries = 0; tries < 40 && !this.isConnected; tries += 1) this.stage.pass(500);
    if (!this.isConnected) throw new Error('the device does not connect');
    return this;
  }

  get isConnected() {
    return this.host.text('state') !== 'not connected';
  }

  /** Something that the daemon tells. */
  told(address, ...values) {
    this.stage.machine.deliver(this.port, toMessage(address, values));
    this.stage.pass(1);
  }

  /** Messages to the daemon at that address, in order. */
  sent(address) {
    return this.host.sent.filter((message) => message.address === address);
  }

  last(address) {
    return this.sent(address).at(-1);
  }

  /** The pairs at the end of the newest message at that address. */
  options(address, from) {
    const { values } = this.last(address);
    const pairs = {};
    for (let at = from; at < values.length; at += 2) pairs[values[at]] = values[at + 1];
    return pairs;
  }

  /** A click; the button is let go before anything else can be done. */
  press(button) {
    this.host.press(button);
    this.stage.pass(CLICK_MS);
  }

  /** Presses Generate; the request's id, or undefined when none went out. */
  generate() {
    const before = this.sent('/bridge/generate').length;
    this.press('Generate');
    return this.sent('/bridge/generate')[before]?.values[0];
  }

  /**
   * The daemon has a clip.
   * @param {string} id the request's
   * @param {object} [more] index, count, bars, tempo, numerator, denominator
   * @returns {string} its path
   */
  clip(id, { index = 0, count = 1, bars = 2, tempo = 120, numerator = 4, denominator = 4 } = {}) {
    const seconds = (bars * 4 * numerator * 60) / (denominator * tempo);
    const name = `2026-11-25 lofi-keys ${tempo}bpm ${bars}bars seed${7 + index} ${id}`;
    const file = this.stage.wav(`${name}.wav`, Math.round(seconds * SAMPLE_RATE));
    this.told(
      '/bridge/clip',
      ...[id, index, count, file, bars, tempo, 7 + index, 0.9],
      ...[numerator, denominator, SAMPLE_RATE, name],
    );
    return file;
  }

  /** A whole request, clips and all; their paths. */
  render(more = {}) {
    const id = this.generate();
    const count = more.count ?? 1;
    const files = Array.from({ length: count }, (_, index) =>
      this.clip(id, { ...more, index, count }),
    );
    this.told('/bridge/done', id, count);
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
    // Whether a daemon is there, to answer a subscription.
    this.answers = false;
    /** What it has, prompts by name. */
    this.presets = {};
    /** Of the answers to come, which are lost on the way. */
    this.loses = [];
    this.machine = machine((message) => this.hear(message));
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'melody-bridge-stage-'));
    this.seats = [];
  }

  /**
   * @param {object} [track] or a chain of a rack; without it a new audio track
   * @param {object} [options] of the host
   */
  async seat(track = this.song.addTrack({ name: 'Voice' }), options = {}) {
    const seat = new Seat(this, this.live.addDevice(track), options);
    this.seats.push(seat);
    return seat.load();
  }

  pass(ms) {
    this.clock.advance(ms);
  }

  /** As the daemon does: to the port that was named, whoever has it. */
  hear({ address, values }) {
    if (!this.answers) return;
    if (address === '/bridge/subscribe') {
      const [port, client] = values;
      this.answer(port, [['/bridge/hello', ...HELLO, client, this.folder]]);
    } else if (address === '/bridge/presets') {
      const [id] = values;
      const seat = this.seats.find(({ client }) => id.startsWith(`${client}-`));
      const presets = Object.entries(this.presets);
      this.answer(seat.port, [
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

  /** Time for Live to take up what was changed. */
  settle() {
    this.pass(3000);
  }

  /** A silent stereo file of 24 bits. */
  wav(name, frames, sampleRate = SAMPLE_RATE) {
    const file = path.join(this.folder, name);
    const bytes = Buffer.alloc(WAV_HEAD_BYTES + frames * BYTES_A_FRAME);
    bytes.write('RIFF', 0);
    bytes.writeUInt32LE(bytes.length - 8, 4);
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
    return file;
  }

  /** A hum on the track Voice, as a clip that is selected; its path. */
  selectHum() {
    const file = this.wav('hum.wav', 4 * SAMPLE_RATE);
    const hum = { path: file, warping: false };
    this.song.selectClip(this.song.addAudioClip(this.track('Voice'), 0, hum));
    return file;
  }

  track(name) {
    return this.song.tracks.find((track) => track.name === name);
  }

  /** Of the automatic track, or of another. */
  clips(name = 'Melody Bridge') {
    return (this.track(name)?.slots ?? []).map((slot) => slot.clip);
  }

  /** Ends it all; the messages are left where pytest holds them to the daemon's table. */
  close() {
    const kept = process.env.MELODY_BRIDGE_SENT;
    for (const seat of this.seats) {
      seat.host.close();
      if (kept) {
        const lines = seat.host.sent.map((sent) => JSON.stringify([sent.address, sent.values]));
        fs.appendFileSync(kept, `${lines.join('\n')}\n`);
      }
    }
    fs.rmSync(this.folder, { recursive: true });
  }
}

/**
 * A stage that ends with its test, and on which nothing may have gone wrong unseen.
 * @param {import('node:test').TestContext} test
 * @param {object} [settings] of the model of Live
 */
function stageOf(test, settings) {
  const stage = new Stage(settings);
  test.after(() => stage.close());
  return stage;
}

module.exports = { SAMPLE_RATE, stageOf };
