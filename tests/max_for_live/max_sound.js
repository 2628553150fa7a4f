'use strict';

/**
 * MSP's objects. No signal runs: whoever wants to know one asks for a span of it, and what is asked
 * asks its inputs, so that a recording holds exactly what came in through the cords.
 */

const fs = require('node:fs');
const path = require('node:path');

const { Float, message, plain } = require('./max_atoms.js');
const { Box } = require('./max_box.js');
const { SAMPLE_BYTES, waveFile } = require('./max_wave.js');

/**
 * A span of signal.
 *
 * @typedef {{startSeconds: number, frames: number}} Span on the host's clock
 */

class Signal extends Box {
  constructor(...all) {
    super(...all);
    this.signalOutlets = [0];
    this.signalInlets = [0];
  }

  /**
   * @param {number} outlet
   * @param {Span} span
   * @returns {Float32Array}
   */
  signal(outlet, { frames }) {
    return new Float32Array(frames);
  }
}

class Plugin extends Signal {
  constructor(...all) {
    super(...all);
    [this.inlets, this.outlets] = [2, 2];
    [this.signalInlets, this.signalOutlets] = [[0, 1], [0, 1]];
  }

  signal(outlet, { startSeconds, frames }) {
    return this.host.trackInput(startSeconds, frames)[outlet] ?? new Float32Array(frames);
  }
}

class Plugout extends Signal {
  constructor(...all) {
    super(...all);
    [this.inlets, this.outlets] = [2, 2];
    [this.signalInlets, this.signalOutlets] = [[0, 1], [0, 1]];
  }

  signal(outlet, span) {
    return this.host.pull(this, outlet, span);
  }
}

/** Two inputs, each a signal or the last number. */
class Operator extends Signal {
  constructor(host, saved, typed, operate) {
    super(host, saved, typed);
    this.inlets = 2;
    this.signalInlets = [0, 1];
    this.operate = operate;
    this.numbers = [0, plain(this.args[0] ?? 0)];
    const keep = ([atom], inlet) => {
      this.numbers[inlet] = plain(atom);
    };
    this.handlers = { int: keep, float: keep };
  }

  input(inlet, span) {
    return this.host.isConnected(this, inlet)
      ? this.host.pull(this, inlet, span)
      : new Float32Array(span.frames).fill(this.numbers[inlet]);
  }

  signal(outlet, span) {
    const [left, right] = [this.input(0, span), this.input(1, span)];
    const result = new Float32Array(left.length);
    for (let at = 0; at < left.length; at += 1) result[at] = this.operate(left[at], right[at]);
    return result;
  }
}

class Times extends Operator {
  constructor(host, saved, typed) {
    super(host, saved, typed, (left, right) => left * right);
  }
}

class Plus extends Operator {
  constructor(host, saved, typed) {
    super(host, saved, typed, (left, right) => left + right);
  }
}

class Sig extends Signal {
  constructor(...all) {
    super(...all);
    this.value = plain(this.args[0] ?? 0);
    const keep = ([atom]) => {
      this.value = plain(atom);
    };
    this.handlers = { int: keep, float: keep };
  }

  signal(outlet, { frames }) {
    return new Float32Array(frames).fill(this.value);
  }
}

class Line extends Signal {
  constructor(...all) {
    super(...all);
    [this.inlets, this.outlets] = [2, 2];
    this.signalInlets = [];
    this.rampMs = 0;
    const value = plain(this.args[0] ?? 0);
    this.ramp = { from: value, to: value, startMs: 0, ms: 0 };
    const number = ([atom], inlet) => {
      if (inlet === 1) {
        this.rampMs = plain(atom);
      } else {
        this.go(plain(atom), this.rampMs);
        this.rampMs = 0;
      }
    };
    this.handlers = {
      int: number,
      float: number,
      list: (args) => {
        if (args.length > 2) {
          throw new Error(`${this.label}: one ramp at a time is modelled`);
        }
        this.go(plain(args[0]), plain(args[1]));
      },
      stop: () => this.go(this.at(this.host.clock.now()), 0),
    };
  }

  get value() {
    return this.ramp.to;
  }

  at(nowMs) {
    const { from, to, startMs, ms } = this.ramp;
    const part = ms === 0 ? 1 : Math.min(1, Math.max(0, (nowMs - startMs) / ms));
    return from + part * (to - from);
  }

  go(to, ms) {
    const startMs = this.host.clock.now();
    this.ramp = { from: this.at(startMs), to, startMs, ms };
    this.arrival?.cancel();
    this.arrival = this.host.after(ms, 'high', () => this.send(1, message('bang')));
  }

  signal(outlet, { startSeconds, frames }) {
    const rate = this.host.sampleRate;
    return Float32Array.from({ length: frames }, (_, at) => {
      return this.at(1000 * (startSeconds + at / rate));
    });
  }
}

class Selector extends Signal {
  constructor(...all) {
    super(...all);
    const count = plain(this.args[0] ?? 1);
    this.inlets = count + 1;
    this.signalInlets = Array.from({ length: this.inlets }, (_, at) => at);
    this.open = plain(this.args[1] ?? 0);
    this.handlers = {
      int: ([atom]) => {
        this.open = Math.min(count, Math.max(0, plain(atom)));
      },
    };
  }

  signal(outlet, span) {
    return this.open === 0 ? super.signal(outlet, span) : this.host.pull(this, this.open, span);
  }
}

/** Reports something of its input again and again, at high priority. */
class Reporter extends Signal {
  constructor(...all) {
    super(...all);
    this.inlets = 2;
    this.signalOutlets = [];
    this.ms = plain(this.args[0] ?? this.attributes.interval ?? 0);
    this.sinceSeconds = 0;
    const interval = ([atom], inlet) => this.setInterval(plain(atom), inlet);
    this.handlers = { bang: () => this.report(), int: interval, float: interval };
  }

  setInterval(ms, inlet) {
    if (inlet !== 1) {
      throw new Error(`${this.label} takes its interval in the right inlet`);
    }
    this.ms = ms;
    this.loaded();
  }

  loaded() {
    this.timer?.cancel();
    this.sinceSeconds = this.host.clock.now() / 1000;
    if (this.ms > 0) {
      this.tick();
    }
  }

  tick() {
    this.timer = this.host.after(this.ms, 'high', () => {
      this.tick();
      this.report();
    });
  }

  /** The input since the last report. */
  newInput() {
    const startSeconds = this.sinceSeconds;
    this.sinceSeconds = this.host.clock.now() / 1000;
    const frames = Math.round((this.sinceSeconds - startSeconds) * this.host.sampleRate);
    return this.host.pull(this, 0, { startSeconds, frames: Math.max(0, frames) });
  }
}

class PeakAmp extends Reporter {
  report() {
    let peak = 0;
    for (const value of this.newInput()) peak = Math.max(peak, Math.abs(value));
    this.send(0, message('float', new Float(peak)));
  }
}

class Snapshot extends Reporter {
  report() {
    this.send(0, message('float', new Float(this.newInput().at(-1) ?? 0)));
  }
}

class PlugSync extends Box {
  constructor(...all) {
    super(...all);
    this.outlets = 9;
    this.handlers = { bang: () => this.output() };
  }

  output() {
    const { isPlaying, tempo, numerator, denominator, beats } = this.host.transport();
    const unit = 4 / denominator;
    const [bar, inBar] = [Math.floor(beats / (numerator * unit)), beats % (numerator * unit)];
    const validAll = 511;
    const samples = Math.round(((beats * 60) / tempo) * this.host.sampleRate);
    this.send(8, message('int', validAll));
    this.send(7, message('int', samples));
    this.send(6, message('float', new Float(beats)));
    this.send(5, message('float', new Float(tempo)));
    this.send(4, message('list', numerator, denominator));
    this.send(3, message('float', new Float((inBar / unit) % 1)));
    this.send(2, message('int', Math.floor(inBar / unit) + 1));
    this.send(1, message('int', bar + 1));
    this.send(0, message('int', isPlaying ? 1 : 0));
  }
}

/** Max finds a buffer~ by its name from anywhere. */
const buffers = new Map();

class Buffer extends Box {
  constructor(...all) {
    super(...all);
    this.outlets = 2;
    const [name, ...rest] = this.args;
    this.name = name;
    const numbers = rest.filter((atom) => typeof plain(atom) === 'number').map(plain);
    this.format = this.attributes.format ?? 'int16';
    this.resize(numbers[0] ?? 0, numbers[1] ?? 1);
    buffers.set(name, this);
    const size = ([ms, channels]) => this.resize(plain(ms), plain(channels ?? this.data.length));
    this.handlers = {
      size,
      setsize: size,
      sizeinsamps: ([frames, channels]) => {
        this.resizeFrames(plain(frames), plain(channels ?? this.data.length));
      },
      clear: () => this.resizeFrames(this.data[0].length, this.data.length),
      crop: ([startMs, endMs]) => this.crop(plain(startMs), plain(endMs)),
      format: ([type]) => this.setFormat(type),
      samptype: ([type]) => this.setFormat(type),
      writewave: ([name_]) => this.write(name_),
    };
  }

  freed() {
    if (buffers.get(this.name) === this) {
      buffers.delete(this.name);
    }
  }

  resize(ms, channels) {
    this.resizeFrames(Math.round((ms / 1000) * this.host.sampleRate), channels);
  }

  resizeFrames(frames, channels) {
    this.data = Array.from({ length: channels }, () => new Float32Array(frames));
  }

  crop(startMs, endMs) {
    const rate = this.host.sampleRate;
    const [start, end] = [startMs, endMs].map((ms) => Math.round((ms / 1000) * rate));
    this.data = this.data.map((channel) => channel.slice(start, end));
  }

  setFormat(type) {
    if (!(type in SAMPLE_BYTES)) {
      throw new Error(`${this.label}: sample type '${type}'`);
    }
    this.format = type;
  }

  /** Whoever records into it has written up to now. */
  settle() {
    for (const box of this.host.boxes) {
      if (box instanceof Record && box.args[0] === this.name) {
        box.store();
      }
    }
  }

  /** Written later and in the background; the bang tells when it is whole. */
  write(name) {
    if (name === undefined) {
      throw new Error(`${this.label}: 'writewave' without a name asks the user`);
    }
    this.settle();
    const bytes = waveFile(this.data, this.host.sampleRate, this.format);
    this.host.after(0, 'low', () => {
      try {
        if (!path.isAbsolute(name)) {
          throw new Error('not an absolute path');
        }
        fs.writeFileSync(name, bytes);
      } catch (error) {
        this.host.printError(`buffer~: cannot write ${name} (${error.message})`);
        return;
      }
      this.send(1, message('bang'));
    });
  }
}

class Record extends Signal {
  constructor(...all) {
    super(...all);
    this.channels = plain(this.args[1] ?? 1);
    this.inlets = this.channels + 2;
    this.signalInlets = Array.from({ length: this.channels }, (_, at) => at);
    this.settable = ['append', 'loop'];
    this.sinceSeconds = null;
    this.nextFrame = 0;
    this.range = [0, Infinity];
    const number = ([atom], inlet) => {
      if (inlet === 0) {
        this.switch(plain(atom) !== 0);
      } else if (inlet >= this.channels) {
        this.range[inlet - this.channels] = plain(atom);
      }
    };
    this.handlers = {
      int: number,
      float: number,
      reset: () => {
        this.range = [0, Infinity];
      },
      set: ([name]) => {
        this.args[0] = name;
      },
    };
  }

  switch(on) {
    this.store();
    this.sinceSeconds = on ? this.host.clock.now() / 1000 : null;
    if (on && this.attributes.append !== 1) {
      this.nextFrame = Math.round((this.range[0] / 1000) * this.host.sampleRate);
    }
  }

  /** What has come in since it was switched on, as far as the buffer holds it. */
  store() {
    const buffer = buffers.get(this.args[0]);
    if (this.sinceSeconds === null) {
      return;
    }
    if (buffer === undefined) {
      throw new Error(`${this.label}: there is no buffer~ ${this.args[0]}`);
    }
    if (this.attributes.loop === 1) {
      throw new Error(`${this.label}: a loop is not modelled`);
    }
    const startSeconds = this.sinceSeconds;
    const rate = this.host.sampleRate;
    const heard = Math.round((this.host.clock.now() / 1000 - startSeconds) * rate);
    const end = Math.min(buffer.data[0].length, Math.round((this.range[1] / 1000) * rate));
    const frames = Math.max(0, Math.min(heard, end - this.nextFrame));
    buffer.data.slice(0, this.channels).forEach((channel, inlet) => {
      channel.set(this.host.pull(this, inlet, { startSeconds, frames }), this.nextFrame);
    });
    this.nextFrame += frames;
    this.sinceSeconds = this.host.clock.now() / 1000;
  }
}

module.exports = {
  '*~': Times,
  '+~': Plus,
  'buffer~': Buffer,
  'line~': Line,
  'peakamp~': PeakAmp,
  'plugin~': Plugin,
  'plugout~': Plugout,
  'plugsync~': PlugSync,
  'record~': Record,
  'selector~': Selector,
  'sig~': Sig,
  'snapshot~': Snapshot,
};
