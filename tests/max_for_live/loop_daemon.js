'use strict';

/**
 * The loops of a daemon, as a device gets to know them: what happens to a loop is the test's to
 * say, and its state follows the device's commands and reports. docs/osc.md has the rules;
 * tests/daemon/test_loop_delivery.py tests the daemon by the same ones.
 */

const { SAMPLE_RATE } = require('./stage.js');

const NOTHING = { path: '', bars: 0, name: '' };

class LoopDaemon {
  /** @param {object} stage a stage whose daemon has loops from now on */
  constructor(stage) {
    this.stage = stage;
    this.loops = new Map();
    this.made = 0;
    const { onMessage } = stage;
    stage.onMessage = (message) => {
      onMessage.call(stage, message);
      if (stage.daemonRuns) this.onMessage(message);
    };
  }

  /** The newest loop, which may have ended. */
  get newest() {
    return [...this.loops.values()].at(-1);
  }

  onMessage({ address, values: [id, ...values] }) {
    if (address === '/bridge/subscribe') this.loops.forEach((loop) => this.publish(loop));
    if (!address.startsWith('/bridge/loop/')) return;
    const command = address.slice('/bridge/loop/'.length);
    if (command === 'start') {
      const known = this.loops.get(id);
      this.loops.set(id, known || {
        id, on: true, clip: '', next: NOTHING, isStopping: false, bar: 0, refused: [],
      });
    }
    const loop = this.loops.get(id);
    if (!loop) {
      this.send(id, '/bridge/error', 'unknown-id', `no loop has the id ${id}`);
      return;
    }
    this[command](loop, ...values);
    this.publish(loop);
  }

  start(loop) {
    Object.assign(loop, { on: true, isStopping: false });
  }

  playing(loop, clip, next = '', atBeat = -1) {
    Object.assign(loop, { clip });
    if (clip === '') loop.isStopping = false;
    if (loop.next.name === clip) Object.assign(loop, { next: NOTHING, bar: 0 });
    if (next === '' || next !== loop.next.name) return;
    if (atBeat < 0) {
      loop.refused.push(next);
      loop.next = NOTHING;
    } else {
      loop.bar = Math.floor(atBeat / 4) + 1;
    }
  }

  stop(loop, now = 0) {
    Object.assign(loop, { on: false, next: NOTHING, isStopping: !now && loop.clip !== '' });
    if (now) loop.clip = '';
  }

  freeze(loop, isFrozen) {
    loop.isFrozen = isFrozen === 1;
    if (isFrozen) Object.assign(loop, { next: NOTHING, bar: 0 });
  }

  set() {}

  clear(loop) {
    this.stop(loop, 1);
    this.loops.delete(loop.id);
  }

  /** Makes a clip, and asks for it; returns the path of its file. */
  offer({ bars = 2, tempo = 120, meter = [4, 4], loop = this.newest } = {}) {
    this.made += 1;
    const seconds = (bars * 4 * meter[0] * 60) / (meter[1] * tempo);
    const name = `2026-11-25 loop ${tempo}bpm ${bars}bars seed${this.made}`;
    const file = this.stage.wav(`${name}.wav`, Math.round(seconds * SAMPLE_RATE));
    this.ask(loop, { name, path: file, bars, meter });
    return file;
  }

  /** Asks for a clip, also for one that was played before, as undo does. */
  ask(loop, clip) {
    Object.assign(loop, { next: clip, bar: 0 });
    this.publish(loop);
  }

  /** Forgets all loops, as a daemon that is restarted. */
  restart() {
    this.loops.clear();
  }

  publish(loop) {
    const { clip, next, on, bar, isStopping, isFrozen } = loop;
    const sounding = clip === '' ? 'off' : isStopping ? 'stopping' : 'playing';
    const coming = !on || isFrozen ? 'none' : next.name === '' ? 'capturing' : 'queued';
    const [numerator, denominator] = next.meter || [0, 0];
    this.send(loop.id, '/bridge/loop', sounding, coming, 0, bar, clip, on ? 1 : 0, 'live',
      next.name, next.path, next.bars, numerator, denominator);
  }

  send(id, address, ...values) {
    const device = this.stage.devices.find(({ client }) => id.startsWith(`${client}-`));
    this.stage.answer(device.port, [[address, id, ...values]]);
  }
}

module.exports = { LoopDaemon };
