'use strict';

/**
 * The parts outside of Max that a device uses: time and the network. A test can replace both.
 *
 * @typedef {{now: () => number, setTimeout: (work: () => void, ms: number) => any,
 *   clearTimeout: (handle: any) => void}} Clock in milliseconds
 * @typedef {{bind: (port: number, onDatagram: (bytes: Buffer) => void) => {close: () => void},
 *   send: (host: string, port: number, bytes: Buffer) => void, close: () => void}} Net
 */

const dgram = require('node:dgram');

const LOOPBACK = '127.0.0.1';

/** @returns {Clock} */
function realClock() {
  return {
    now: () => performance.now(),
    setTimeout: (work, ms) => setTimeout(work, ms),
    clearTimeout: (handle) => clearTimeout(handle),
  };
}

/**
 * A clock that moves only when a test advances it.
 *
 * @returns {Clock & {advance: (ms: number) => void}}
 */
function manualClock() {
  let nowMs = 0;
  let count = 0;
  const waiting = new Map();

  function next(untilMs) {
    let first = null;
    for (const timer of waiting.values()) {
      if (timer.atMs <= untilMs && (first === null || timer.atMs < first.atMs)) {
        first = timer;
      }
    }
    return first;
  }

  return {
    now: () => nowMs,
    setTimeout(work, ms = 0) {
      count += 1;
      waiting.set(count, { id: count, atMs: nowMs + Math.max(0, ms), work });
      return count;
    },
    clearTimeout(handle) {
      waiting.delete(handle);
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (let timer = next(untilMs); timer !== null; timer = next(untilMs)) {
        waiting.delete(timer.id);
        nowMs = timer.atMs;
        timer.work();
      }
      nowMs = untilMs;
    },
  };
}

/**
 * Real UDP on the loopback interface.
 *
 * @returns {Net}
 */
function loopbackNet() {
  const sender = socket();

  return {
    bind(port, onDatagram) {
      const receiver = socket();
      let refused = null;
      receiver.on('error', (error) => {
        refused = error;
      });
      receiver.on('message', onDatagram);
      receiver.bind({ port, address: LOOPBACK, exclusive: true });
      if (refused !== null) {
        throw refused;
      }
      return { close: () => receiver.close() };
    },
    send(host, port, bytes) {
      // udpsend ignores the answer that nobody listens on the port.
      sender.send(bytes, port, host, () => {});
    },
    close() {
      sender.close();
    },
  };
}

function socket() {
  // Without an asynchronous look-up, binding has succeeded or failed when `bind` returns.
  const lookup = (host, options, done) => done(null, host === 'localhost' ? LOOPBACK : host, 4);
  return dgram.createSocket({ type: 'udp4', lookup });
}

module.exports = { realClock, manualClock, loopbackNet };
