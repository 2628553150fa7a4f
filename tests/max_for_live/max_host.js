'use strict';

/**
 * A host that runs a Max for Live device outside of Max: it makes the boxes of a patcher's file and
 * carries messages through its cords by Max's rules, into the device's own script and out of a UDP
 * socket. A test presses what a user presses, and reads what a user sees.
 */

const fs = require('node:fs');
const path = require('node:path');

const controls = require('./max_controls.js');
const objects = require('./max_objects.js');
const scripts = require('./max_script.js');
const sound = require('./max_sound.js');
const udp = require('./max_udp.js');
const osc = require('./osc.js');
const { parseBox, plain } = require('./max_atoms.js');
const { loopbackNet, manualClock, realClock } = require('./max_world.js');

/** @typedef {import('./max_atoms.js').Message} Message */

const CLASSES = { ...controls, ...objects, ...scripts, ...sound, ...udp };
const STACK_DEPTH = 250;
const QUEUE_LENGTH = 100000;

let devices = 0;
/** Max's names lead from one device to another. */
const receivers = new Map();

/**
 * @typedef {object} HostOptions
 * @property {string} patcherPath a `.maxpat` file
 * @property {string} [scriptFolder] where `js` finds its file; without it, beside the patcher
 * @property {any} [live] the model of Live; without it there is no LiveAPI
 * @property {any} [device] the device in it
 * @property {import('./max_world.js').Clock} [clock]
 * @property {import('./max_world.js').Net} [net]
 * @property {{sampleRate?: number, trackInput: (startSeconds: number, frames: number) =>
 *   Float32Array[]}} [audio] what comes in on the track, by the clock's seconds; without it silence
 * @property {Record<string, any>} [parameters] as `save` gave them; without them the initial ones
 * @property {string} [os] what `max.os` says
 */

class Host {
  /** @param {HostOptions} options */
  constructor(options) {
    this.patcherPath = options.patcherPath;
    this.scriptFolder = options.scriptFolder ?? path.dirname(options.patcherPath);
    this.live = options.live;
    this.device = options.device;
    this.clock = options.clock ?? realClock();
    this.net = options.net ?? loopbackNet();
    this.audio = options.audio;
    this.parameters = options.parameters;
    this.os = options.os ?? 'macintosh';
    devices += 1;
    this.prefix = String(devices).padStart(3, '0');

    /** OSC messages that left the device, and where they went. */
    this.sent = [];
    /** OSC messages that reached it. */
    this.received = [];
    /** Lines of Max's console; those of errors begin with `error: `. */
    this.console = [];
    /** Pages that the browser was asked for. */
    this.launched = [];
    /** Hears of each box that shows something else than before. */
    this.onChange = () => {};

    this.boxes = [];
    this.cords = new Map();
    this.sources = new Map();
    this.queue = [];
    this.timers = new Set();
    this.failures = [];
    this.priority = 'low';
    this.events = 0;
    this.depth = 0;
    this.ready = false;
    this.closed = false;
    this.LiveAPI = this.attach({
      isReady: () => this.ready,
      lowPriority: () => this.priority === 'low',
    });
  }

  get sampleRate() {
    return this.audio?.sampleRate ?? 48000;
  }

  /** Live's class, for the script by the rules and for the host itself at any time. */
  attach(rules) {
    if (this.live === undefined) {
      return class NoLive {
        constructor() {
          throw new Error('there is no Live');
        }
      };
    }
    return this.live.attach(this.device, { post: (text) => this.print(text), ...rules }).LiveAPI;
  }

  // What a test does.

  /** Makes the boxes, restores what is saved in the set, and tells the device that it is there. */
  async load() {
    const { patcher } = JSON.parse(fs.readFileSync(this.patcherPath, 'utf8'));
    this.make(patcher);
    this.act(() => {
      this.restore(this.parameters ?? {});
      this.boxes.forEach((box) => box.loaded());
    });
    this.act(() => this.begin());
  }

  /** Live loads a preset: values change, and `live.thisdevice` bangs once more. */
  loadPreset(parameters = this.save()) {
    this.act(() => this.restore(parameters));
    this.act(() => this.begin());
  }

  /** A click on a button, a switch or a message. */
  press(name) {
    const box = this.find(name, 'press');
    this.act(() => {
      box.click?.();
      box.press();
    });
  }

  /** A value that the user drags or types. */
  setValue(name, value) {
    const box = this.find(name, 'enter');
    this.act(() => box.enter(value));
  }

  /** A value from automation or a mapped pad: at high priority. */
  automate(name, value) {
    const box = this.find(name, 'enter');
    this.throwFailures();
    this.run('high', () => box.enter(value));
    this.throwFailures();
  }

  /**
   * A note that is mapped to a parameter of two values. "A Note On message toggles the switch's
   * state": Live's manual, Mapping to MIDI Notes.
   */
  hitNote(name) {
    this.automate(name, 1 - this.value(name));
  }

  /** Replaces the text of a field, key by key. */
  type(name, text) {
    const box = this.find(name, 'type');
    this.act(() => {
      box.click();
      box.type(text);
    });
  }

  pressReturn(name) {
    const box = this.find(name, 'pressReturn');
    this.act(() => box.pressReturn());
  }

  /** An item of a menu, by its text or its number from 0. */
  choose(name, item) {
    const box = this.find(name, 'choose');
    this.act(() => {
      box.click();
      box.choose(item);
    });
  }

  value(name) {
    return this.find(name, 'value').value;
  }

  text(name) {
    return this.find(name, 'shown').shown;
  }

  items(name) {
    return [...this.find(name, 'items').items];
  }

  /** What a message has set of a box's look: a colour, whether it is active. */
  attribute(name, attribute) {
    return this.find(name).attributes[attribute];
  }

  /** What Live writes into the set. */
  save() {
    this.throwFailures();
    return Object.fromEntries(this.parametersOf().map((box) => [box.parameter.name, box.save()]));
  }

  /** What comes out of the device, of each channel, by the clock's seconds. */
  output(startSeconds, frames) {
    const box = this.boxes.find((one) => one instanceof sound['plugout~']);
    return [0, 1].map((inlet) => this.pull(box, inlet, { startSeconds, frames }));
  }

  /** The device is deleted, or the set closed. */
  close() {
    if (this.closed) {
      return;
    }
    this.run('low', () => this.boxes.forEach((box) => box.freed()));
    this.closed = true;
    this.timers.forEach((timer) => timer.cancel());
    this.net.close?.();
    this.throwFailures();
  }

  // How the patcher is made.

  make(patcher) {
    const byId = new Map();
    for (const { box } of patcher.boxes) {
      byId.set(box.id, this.makeBox(box));
    }
    this.boxes = [...byId.values()];
    for (const { patchline } of patcher.lines) {
      const [source, outlet] = [byId.get(patchline.source[0]), patchline.source[1]];
      const [destination, inlet] = [byId.get(patchline.destination[0]), patchline.destination[1]];
      this.connect(source, outlet, destination, inlet);
    }
    for (const cords of this.cords.values()) {
      cords.sort(rightToLeft);
    }
  }

  makeBox(saved) {
    const typed =
      saved.maxclass === 'newobj'
        ? parseBox(saved.text.replaceAll('---', this.prefix))
        : { name: saved.maxclass, args: [], attributes: {} };
    const BoxClass = Object.hasOwn(CLASSES, typed.name) ? CLASSES[typed.name] : undefined;
    if (BoxClass === undefined) {
      throw new Error(`no object '${typed.name}' (${saved.id})`);
    }
    const box = new BoxClass(this, saved, typed);
    if (saved.numinlets !== undefined && saved.numinlets !== box.inlets) {
      throw new Error(`${box.label} has ${box.inlets} inlets, not ${saved.numinlets}`);
    }
    if (saved.numoutlets !== undefined && saved.numoutlets !== box.outlets) {
      throw new Error(`${box.label} has ${box.outlets} outlets, not ${saved.numoutlets}`);
    }
    return box;
  }

  connect(source, outlet, destination, inlet) {
    if (source === undefined || destination === undefined) {
      throw new Error('a cord to a box that is not there');
    }
    if (outlet >= source.outlets) {
      throw new Error(`${source.label} has no outlet ${outlet}`);
    }
    if (inlet >= destination.inlets) {
      throw new Error(`${destination.label} has no inlet ${inlet}`);
    }
    if (source.signalOutlets.includes(outlet)) {
      if (!destination.signalInlets.includes(inlet)) {
        throw new Error(`${destination.label} takes no signal in inlet ${inlet}`);
      }
      append(this.sources, `${destination.saved.id} ${inlet}`, { box: source, outlet });
    } else {
      append(this.cords, `${source.saved.id} ${outlet}`, { box: destination, inlet });
    }
  }

  // What the boxes call.

  /** Sends a message out of an outlet: to one box after the other, each to its end. */
  send(box, outlet, told) {
    for (const cord of this.cords.get(`${box.saved.id} ${outlet}`) ?? []) {
      this.deliver(cord.box, cord.inlet, told);
    }
  }

  deliver(box, inlet, told) {
    if (this.depth >= STACK_DEPTH) {
      this.fail(new Error(`stack overflow at ${box.label}`));
      return;
    }
    this.depth += 1;
    try {
      box.receive(inlet, told);
    } catch (error) {
      this.fail(error);
    } finally {
      this.depth -= 1;
    }
  }

  sendNamed(name, told) {
    if (name === 'max' && told.name === 'launchbrowser') {
      this.launched.push(plain(told.args[0]));
    } else {
      (receivers.get(name) ?? []).forEach((box) => box.hearNamed(told));
    }
  }

  /** A box that hears what is sent to a name, until the device goes. */
  named(name, box) {
    append(receivers, name, box);
  }

  unnamed(name, box) {
    receivers.set(name, receivers.get(name).filter((other) => other !== box));
  }

  /** A span of the signal at an inlet: the sum of all connected signals. Not to be changed. */
  pull(box, inlet, span) {
    const sources = this.sources.get(`${box.saved.id} ${inlet}`) ?? [];
    if (sources.length === 1) return sources[0].box.signal(sources[0].outlet, span);
    const sum = new Float32Array(span.frames);
    for (const source of sources) {
      const signal = source.box.signal(source.outlet, span);
      for (let at = 0; at < signal.length; at += 1) sum[at] += signal[at];
    }
    return sum;
  }

  isConnected(box, inlet) {
    return this.sources.has(`${box.saved.id} ${inlet}`);
  }

  trackInput(startSeconds, frames) {
    return this.audio?.trackInput(startSeconds, frames) ?? [];
  }

  /** Where Live's transport stands. */
  transport() {
    if (this.song === undefined) {
      const LiveAPI = this.attach({ isReady: () => true, lowPriority: () => true });
      this.song = new LiveAPI('live_set');
    }
    const number = (name) => Number(this.song.get(name)[0]);
    return {
      isPlaying: number('is_playing') === 1,
      tempo: number('tempo'),
      numerator: number('signature_numerator'),
      denominator: number('signature_denominator'),
      beats: number('current_song_time'),
    };
  }

  transmit(address, port, bytes) {
    this.sent.push(...osc.decode(bytes).map((told) => ({ ...told, port })));
    this.net.send(address, port, bytes);
  }

  changed(box) {
    this.onChange(box.saved.varname ?? box.parameter?.name ?? box.saved.id, box);
  }

  print(text) {
    this.console.push(text);
  }

  printError(text) {
    this.print(`error: ${text}`);
  }

  /** Something that a user would find in the console: the test is to find it too. */
  fail(error) {
    this.printError(error.stack ?? String(error));
    this.failures.push(error);
  }

  /** Puts work at the end of the low-priority queue. */
  later(work) {
    this.queue.push(work);
  }

  /**
   * @param {number} ms
   * @param {'low' | 'high'} priority
   * @param {() => void} work
   */
  after(ms, priority, work) {
    const timer = {
      cancel: () => {
        this.clock.clearTimeout(handle);
        this.timers.delete(timer);
      },
    };
    const handle = this.clock.setTimeout(() => {
      this.timers.delete(timer);
      this.run(priority, work);
    }, ms);
    this.timers.add(timer);
    return timer;
  }

  /** Runs an event, and after it whatever has been put off. */
  run(priority, work) {
    if (this.closed) {
      return;
    }
    const outer = this.priority;
    this.priority = priority;
    this.events += 1;
    try {
      work();
    } catch (error) {
      this.fail(error);
    } finally {
      this.events -= 1;
      this.priority = outer;
    }
    if (this.events === 0) {
      this.drain();
    }
  }

  // The rest.

  act(work) {
    this.throwFailures();
    this.run('low', work);
    this.throwFailures();
  }

  drain() {
    this.events += 1;
    for (let done = 0; this.queue.length > 0; done += 1) {
      if (done > QUEUE_LENGTH) {
        this.queue = [];
        this.fail(new Error('the low-priority queue never ends'));
        break;
      }
      this.run('low', this.queue.shift());
    }
    this.events -= 1;
  }

  throwFailures() {
    const [first] = this.failures.splice(0);
    if (first !== undefined) {
      throw first;
    }
  }

  begin() {
    this.ready = true;
    this.boxes.filter((box) => box instanceof objects['live.thisdevice']).forEach((box) => {
      box.begin();
    });
  }

  parametersOf() {
    return this.boxes.filter((box) => box.parameter?.name !== undefined && box.save !== undefined);
  }

  /** What is not saved in the set gets its initial value, and tells it as well. */
  restore(parameters) {
    for (const box of this.parametersOf()) {
      box.restore(parameters[box.parameter.name] ?? box.save());
    }
  }

  find(name, member) {
    const named = (box) => box.parameter?.name === name || box.saved.varname === name;
    const found = this.boxes.filter(named);
    const able = found.filter((box) => member === undefined || member in box);
    if (able.length !== 1) {
      const names = this.boxes.filter((box) => member === undefined || member in box);
      const labels = names.map((box) => box.parameter?.name ?? box.saved.varname ?? box.saved.id);
      throw new Error(`${able.length} boxes '${name}' with '${member}'; ${labels.join(', ')}`);
    }
    return able[0];
  }
}

function append(map, key, value) {
  map.set(key, [...(map.get(key) ?? []), value]);
}

/** The rightmost box hears first, and of two below each other the lower one. */
function rightToLeft(one, other) {
  const [oneX, oneY] = one.box.saved.patching_rect ?? [0, 0];
  const [otherX, otherY] = other.box.saved.patching_rect ?? [0, 0];
  return otherX - oneX || otherY - oneY;
}

/**
 * @param {HostOptions} options
 * @returns {Host}
 */
function createHost(options) {
  return new Host(options);
}

module.exports = { createHost, manualClock };
