'use strict';

const fs = require('node:fs');

const { refuse } = require('./live_values.js');

// WAVE_FORMAT_PCM, IEEE_FLOAT and EXTENSIBLE: the formats of RIFF files that Live reads.
const READABLE_FORMATS = [1, 3, 0xfffe];

/**
 * Length and format of an audio file, from its RIFF header.
 * @param {string} path
 * @returns {{frames: number, sampleRate: number, channels: number}} sampleRate in Hz
 * @throws {LiveRefusal} when the file is missing, unreadable, not a WAV file or without samples
 */
function readWav(path) {
  const chunks = riffChunks(fileBytes(path), path);
  const format = chunks.get('fmt ');
  const data = chunks.get('data');
  if (!format || format.length < 16 || !data) return refuse(`not a valid audio file: ${path}`);
  const blockAlign = format.readUInt16LE(12);
  if (!READABLE_FORMATS.includes(format.readUInt16LE(0)) || !blockAlign || !data.length) {
    return refuse(`not a valid audio file: ${path}`);
  }
  return {
    frames: Math.floor(data.length / blockAlign),
    sampleRate: format.readUInt32LE(4),
    channels: format.readUInt16LE(2),
  };
}

function fileBytes(path) {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    return refuse(`cannot read audio file: ${path} (${error.code})`);
  }
}

function riffChunks(bytes, path) {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    return refuse(`not a valid audio file: ${path}`);
  }
  const chunks = new Map();
  let at = 12;
  while (at + 8 <= bytes.length) {
    const size = bytes.readUInt32LE(at + 4);
    chunks.set(bytes.toString('latin1', at, at + 4), bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size + (size % 2);
  }
  return chunks;
}

module.exports = { readWav };
