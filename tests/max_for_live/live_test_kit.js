'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { createLive } = require('./live_model.js');

/** A clock that moves only when a test advances it. */
class FakeClock {
  #nowMs = 0;

  #timers = new Map();

  #lastHandle = 0;

  now() {
    return this.#nowMs;
  }

  setTimeout(action, ms) {
    this.#lastHandle += 1;
    this.#timers.set(this.#lastHandle, { due: this.#nowMs + ms, action });
    return this.#lastHandle;
  }

  clearTimeout(handle) {
    this.#timers.delete(handle);
  }

  /** Advances the time, and runs the due timers in order. */
  advance(ms) {
    const end = this.#nowMs + ms;
    for (let next = this.#nextBy(end); next; next = this.#nextBy(end)) {
      const [handle, timer] = next;
      this.#timers.delete(handle);
      this.#nowMs = timer.due;
      timer.action();
    }
    this.#nowMs = end;
  }

  #nextBy(end) {
    return [...this.#timers].filter(([, timer]) => timer.due <= end)
      .sort(([, one], [, other]) => one.due - other.due)[0];
  }
}

/** The format of a file of eight seconds: 16 beats at 120 bpm. */
const EIGHT_SECONDS = { frames: 8 * 44100, sampleRate: 44100, channels: 2 };

/**
 * A model of Live with one track "Hum", a device on it and its LiveAPI.
 * @param {object} [settings] as for createLive; every file has eight seconds
 */
function setUp(settings = {}) {
  const clock = new FakeClock();
  const live = createLive({ clock, readWav: () => EIGHT_SECONDS, ...settings });
  const track = live.song.addTrack({ name: 'Hum' });
  const device = live.addDevice(track);
  const host = { ready: true, low: true };
  const { LiveAPI } = live.attach(device, {
    isReady: () => host.ready,
    lowPriority: () => host.low,
  });
  return { live, clock, track, device, host, LiveAPI };
}

/**
 * `setUp` with an audio clip in the first slot, created as by a script.
 * @param {object} [settings] as for createLive
 */
function setUpClip(settings) {
  const kit = setUp(settings);
  new kit.LiveAPI('live_set tracks 0 clip_slots 0').call('create_audio_clip', '/sounds/take 1.wav');
  const api = new kit.LiveAPI('live_set tracks 0 clip_slots 0 clip');
  return { ...kit, api, clip: kit.track.slots[0].clip };
}

/** @returns {string} the path of a new WAV of 16 bits */
function writeWav({ frames, sampleRate = 44100, channels = 1, formatTag = 1 }) {
  const dataBytes = frames * channels * 2;
  const bytes = Buffer.alloc(44 + dataBytes);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + dataBytes, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(formatTag, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(sampleRate, 24);
  bytes.writeUInt32LE(sampleRate * channels * 2, 28);
  bytes.writeUInt16LE(channels * 2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(dataBytes, 40);
  return writeFile('take.wav', bytes);
}

/** @returns {string} the path of a new file in a new folder */
function writeFile(name, content) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'live-model-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, name);
  fs.writeFileSync(file, content);
  return file;
}

module.exports = { FakeClock, setUp, setUpClip, writeWav, writeFile };
