'use strict';

/**
 * OSC 1.0 messages as Max's udpsend and udpreceive speak them: whole numbers, floats and strings.
 *
 * @typedef {{address: string, types: string, values: Array<number | string>}} OscMessage
 */

const BUNDLE = '#bundle';
const BUNDLE_HEAD_BYTES = 16;

/**
 * The datagram of one message.
 *
 * @param {OscMessage} message its types hold one of `i`, `f` and `s` for each value
 * @returns {Buffer}
 * @throws {RangeError} if a type is none of these
 */
function encode({ address, types, values }) {
  const parts = [encodeString(address), encodeString(`,${types}`)];
  values.forEach((value, at) => parts.push(encodeValue(types[at], value)));
  return Buffer.concat(parts);
}

function encodeValue(type, value) {
  const four = Buffer.alloc(4);
  if (type === 'i') {
    // Max has integers of 64 bits, OSC of 32: the upper half is cut off.
    four.writeInt32BE(value | 0);
    return four;
  }
  if (type === 'f') {
    four.writeFloatBE(value);
    return four;
  }
  if (type === 's') {
    return encodeString(value);
  }
  throw new RangeError(`OSC type ${type}`);
}

function encodeString(text) {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([bytes, Buffer.alloc(4 - (bytes.length % 4))]);
}

/**
 * The messages of a datagram; bundles are flattened.
 *
 * @param {Buffer} bytes
 * @returns {OscMessage[]}
 * @throws {RangeError} if the bytes are not OSC
 */
function decode(bytes) {
  const head = readString(bytes, 0);
  if (head.text !== BUNDLE) {
    return [decodeMessage(bytes, head)];
  }
  if (bytes.length < BUNDLE_HEAD_BYTES) {
    throw new RangeError(`OSC bundle of ${bytes.length} bytes`);
  }
  const messages = [];
  let at = BUNDLE_HEAD_BYTES;
  while (at < bytes.length) {
    const size = bytes.readInt32BE(at);
    if (size <= 0 || at + 4 + size > bytes.length) {
      throw new RangeError(`OSC bundle element of ${size} bytes`);
    }
    messages.push(...decode(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return messages;
}

function decodeMessage(bytes, head) {
  const tags = readString(bytes, head.end);
  if (!head.text.startsWith('/') || !tags.text.startsWith(',')) {
    throw new RangeError(`not an OSC message: ${head.text} ${tags.text}`);
  }
  const types = tags.text.slice(1);
  const values = [];
  let at = tags.end;
  for (const type of types) {
    const read = readValue(type, bytes, at);
    values.push(read.value);
    at = read.end;
  }
  return { address: head.text, types, values };
}

function readValue(type, bytes, at) {
  if (type === 'i') {
    return { value: bytes.readInt32BE(at), end: at + 4 };
  }
  if (type === 'f') {
    return { value: bytes.readFloatBE(at), end: at + 4 };
  }
  if (type === 's') {
    const { text, end } = readString(bytes, at);
    return { value: text, end };
  }
  throw new RangeError(`OSC type ${type}`);
}

function readString(bytes, at) {
  const nul = bytes.indexOf(0, at);
  if (nul < 0) {
    throw new RangeError('OSC string without an end');
  }
  return { text: bytes.toString('utf8', at, nul), end: nul + 4 - (nul % 4) };
}

module.exports = { encode, decode };
