'use strict';

/** WAV files, and a track's input that plays one. */

const fs = require('node:fs');

const SAMPLE_BYTES = { int16: 2, int24: 3, float32: 4 };
const WAVE_PCM = 1;
const WAVE_FLOAT = 3;
const WAVE_EXTENSIBLE = 0xfffe;

/**
 * The bytes of a WAV file.
 *
 * @param {Float32Array[]} channels
 * @param {number} sampleRate
 * @param {'int16' | 'int24' | 'float32'} type
 */
function waveFile(channels, sampleRate, type) {
  const size = SAMPLE_BYTES[type];
  const frames = channels[0].length;
  const frameBytes = channels.length * size;
  const file = Buffer.alloc(44 + frames * frameBytes);
  file.write('RIFF', 0);
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(type === 'float32' ? WAVE_FLOAT : WAVE_PCM, 20);
  file.writeUInt16LE(channels.length, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * frameBytes, 28);
  file.writeUInt16LE(frameBytes, 32);
  file.writeUInt16LE(8 * size, 34);
  file.write('data', 36);
  file.writeUInt32LE(frames * frameBytes, 40);
  const full = 2 ** (8 * size - 1);
  const whole = (value) => Math.max(-full, Math.min(full - 1, Math.round(value * full)));
  for (let frame = 0, at = 44; frame < frames; frame += 1) {
    for (const channel of channels) {
      if (type === 'float32') {
        file.writeFloatLE(channel[frame], at);
      } else {
        file.writeIntLE(whole(channel[frame]), at, size);
      }
      at += size;
    }
  }
  return file;
}

/**
 * The samples of a WAV file of 16, 24 or 32 bits.
 *
 * @param {string} path
 * @returns {{sampleRate: number, channels: Float32Array[]}}
 * @throws {Error} if it is not such a file
 */
function readWave(path) {
  const file = fs.readFileSync(path);
  const chunks = new Map();
  for (let at = 12; at + 8 <= file.length; ) {
    const size = file.readUInt32LE(at + 4);
    chunks.set(file.toString('latin1', at, at + 4), file.subarray(at + 8, at + 8 + size));
    at += 8 + size + (size % 2);
  }
  const [head, data] = [chunks.get('fmt '), chunks.get('data')];
  if (head === undefined || data === undefined) {
    throw new Error(`${path} is no WAV file`);
  }
  const [count, size] = [head.readUInt16LE(2), head.readUInt16LE(14) / 8];
  const tag = head.readUInt16LE(0);
  const isFloat = (tag === WAVE_EXTENSIBLE ? head.readUInt16LE(24) : tag) === WAVE_FLOAT;
  const sample = (at) =>
    isFloat ? data.readFloatLE(at) : data.readIntLE(at, size) / 2 ** (8 * size - 1);
  const frames = Math.floor(data.length / (count * size));
  const channels = Array.from({ length: count }, (_, channel) =>
    Float32Array.from({ length: frames }, (__, frame) => sample((frame * count + channel) * size)),
  );
  return { sampleRate: head.readUInt32LE(4), channels };
}

/**
 * The input of a track that plays a file, from a moment on or in the song's time.
 *
 * @param {{clock: {now: () => number}, beats: () => {isPlaying: boolean, beats: number,
 *   tempo: number}, sampleRate?: number}} world
 */
function waveInput({ clock, beats, sampleRate = 48000 }) {
  let channels = [];
  let startedSeconds = null;
  let loops = false;

  function load(path) {
    const wave = readWave(path);
    if (wave.sampleRate !== sampleRate) {
      throw new Error(`${path} has ${wave.sampleRate} Hz, the track ${sampleRate} Hz`);
    }
    channels = wave.channels.length === 1 ? [wave.channels[0], wave.channels[0]] : wave.channels;
  }

  /** Time of the file's beginning, in seconds of the clock. */
  function beginning() {
    if (startedSeconds !== null) {
      return startedSeconds;
    }
    const song = beats();
    return song.isPlaying ? clock.now() / 1000 - (song.beats * 60) / song.tempo : null;
  }

  return {
    sampleRate,
    /** Plays the file from now on, with `loop` repeatedly. A mono file goes to both channels. */
    play(path, { loop = false } = {}) {
      load(path);
      loops = loop;
      startedSeconds = clock.now() / 1000;
    },
    /** Plays the file while the song plays, with its beginning at the song's beat 0. */
    followSong(path, { loop = false } = {}) {
      load(path);
      loops = loop;
      startedSeconds = null;
    },
    stop() {
      channels = [];
    },
    trackInput(startSeconds, frames) {
      const zero = beginning();
      if (zero === null) {
        return [];
      }
      const first = Math.round((startSeconds - zero) * sampleRate);
      return channels.map((channel) => {
        const span = new Float32Array(frames);
        for (let at = 0; at < frames; at += 1) {
          const place = first + at;
          span[at] = channel[loops ? mod(place, channel.length) : place] ?? 0;
        }
        return span;
      });
    },
  };
}

const mod = (value, by) => ((value % by) + by) % by;

module.exports = { SAMPLE_BYTES, readWave, waveFile, waveInput };
