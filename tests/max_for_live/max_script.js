'use strict';

/** Max's js object: a script in its own context, with exactly the globals that Max provides. */

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const { ES5, ES5_GLOBALS } = require('./max_es5.js');
const { Float, fromAtoms, plain, toText } = require('./max_atoms.js');
const { Box } = require('./max_box.js');

class Js extends Box {
  constructor(...all) {
    super(...all);
    this.settable = ['parameter_enable'];
    this.file = path.join(this.host.scriptFolder, String(this.args[0]));
    this.line = '';
    this.context = vm.createContext(this.globals());
    keepEs5(this.context);
    /** The value of `this` in the script. */
    this.script = vm.runInContext('this', this.context);
    const given = new Set(Object.getOwnPropertyNames(this.context));
    new vm.Script(fs.readFileSync(this.file, 'utf8'), { filename: this.file }).runInContext(
      this.context,
    );
    this.isGiven = (name) => given.has(name);
    this.inlets = this.context.inlets;
    this.outlets = this.context.outlets;
  }

  /** The globals that Max provides. */
  globals() {
    const { host } = this;
    return {
      inlets: 1,
      outlets: 1,
      autowatch: 0,
      inlet: 0,
      messagename: '',
      jsarguments: this.args.map(plain),
      max: { os: host.os, version: '8.6.0', launchbrowser: (url) => host.launched.push(url) },
      patcher: this.patcher(),
      outlet: (outlet, ...values) => this.outlet(outlet, values),
      post: (...values) => this.post(values),
      error: (...values) => host.printError(toText(unrolled(values)).trimEnd()),
      messnamed: (name, ...values) => host.sendNamed(name, fromAtoms(atomsOf(values))),
      arrayfromargs: (...values) => values.flatMap((value) => unrolledArguments(value)),
      setinletassist: () => {},
      setoutletassist: () => {},
      Date: clockDate(host.clock),
      Task: taskClass(this),
      Dict,
      File,
      LiveAPI: liveApiClass(this),
    };
  }

  patcher() {
    return {
      name: 'Melody Bridge',
      filepath: this.host.patcherPath,
      getnamed: (name) => {
        const box = this.host.boxes.find((one) => one.saved.varname === name);
        return box === undefined
          ? null
          : {
              varname: name,
              maxclass: box.saved.maxclass,
              message: (...values) => this.host.deliver(box, 0, fromAtoms(atomsOf(values))),
            };
      },
    };
  }

  receive(inlet, received) {
    // js never runs at high priority: such a message waits in the queue.
    if (this.host.priority === 'high') {
      this.host.later(() => this.handle(inlet, received));
    } else {
      this.handle(inlet, received);
    }
  }

  handle(inlet, { name, args }) {
    const method = this.method(name);
    if (method === undefined) {
      throw new Error(`js: no function ${name} in ${path.basename(this.file)}`);
    }
    this.context.inlet = inlet;
    this.context.messagename = name;
    const truncate = name === 'float' && this.context.msg_float === undefined && this.hasInt;
    const values = args.map(plain).map((value) => (truncate ? Math.trunc(value) : value));
    this.call(() => method.apply(this.script, values));
  }

  get hasInt() {
    return typeof this.context.msg_int === 'function';
  }

  method(name) {
    const names = { int: ['msg_int'], float: ['msg_float', 'msg_int'] }[name] ?? [name];
    const own = names
      .filter((one) => !this.isGiven(one))
      .map((one) => this.context[one])
      .find((one) => typeof one === 'function' && !one.local);
    const any = this.context.anything;
    return own ?? (typeof any === 'function' && !any.local ? any : undefined);
  }

  /** Runs a part of the script; an exception is printed to the console and fails the test. */
  call(work) {
    try {
      return work();
    } catch (error) {
      this.host.fail(error);
      return undefined;
    }
  }

  loaded() {
    if (typeof this.context.loadbang === 'function') {
      this.call(() => this.context.loadbang());
    }
  }

  freed() {
    if (typeof this.context.notifydeleted === 'function') {
      this.call(() => this.context.notifydeleted());
    }
  }

  outlet(outlet, values) {
    if (!Number.isInteger(outlet) || outlet < 0 || outlet >= this.context.outlets) {
      throw new RangeError(`outlet ${outlet} of ${this.context.outlets}`);
    }
    if (values.length === 0) {
      throw new RangeError('outlet: nothing to send');
    }
    this.send(outlet, fromAtoms(atomsOf(values)));
  }

  /** Posts continue the line until a line break or an empty post. */
  post(values) {
    if (values.length === 0) {
      this.flush();
      return;
    }
    const lines = toText(unrolled(values)).split('\n');
    lines.forEach((text, at) => {
      if (at > 0) {
        this.flush();
      }
      this.line = this.line === '' ? text : `${this.line} ${text}`;
    });
    this.flush();
  }

  flush() {
    if (this.line !== '') {
      this.host.print(this.line);
      this.line = '';
    }
  }
}

/** Arrays are unrolled to one level. */
function unrolled(values) {
  return values.flatMap((value) => (Array.isArray(value) ? [...value] : [value]));
}

function unrolledArguments(value) {
  const isArguments = Object.prototype.toString.call(value) === '[object Arguments]';
  return Array.isArray(value) || isArguments ? Array.from(value) : [value];
}

/**
 * The atoms that JavaScript's values become in a cord.
 *
 * @param {any[]} values
 * @returns {import('./max_atoms.js').Atom[]}
 * @throws {TypeError} for a value that is no number, string or boolean
 */
function atomsOf(values) {
  return unrolled(values).map((value) => {
    if (typeof value === 'boolean') {
      return value ? 1 : 0;
    }
    if (typeof value === 'number' && Number.isFinite(value)) {
      return Number.isInteger(value) ? value : new Float(value);
    }
    if (typeof value === 'string') {
      return value;
    }
    throw new TypeError(`${value} cannot be sent through an outlet`);
  });
}

function keepEs5(context) {
  const realm = vm.runInContext('this', context);
  for (const [name, kept] of Object.entries(ES5)) {
    const builtin = vm.runInContext(name, context);
    keepOnly(builtin, kept.own);
    if (kept.prototype) {
      keepOnly(builtin.prototype, kept.prototype);
    }
  }
  // The arrays in Live's answers come from another context.
  const array = vm.runInContext('Array', context);
  Object.defineProperty(array, Symbol.hasInstance, { value: Array.isArray });
  for (const name of vm.runInContext('Object.getOwnPropertyNames(this)', context)) {
    if (/^[A-Zcg]/.test(name) && !ES5_GLOBALS.includes(name)) {
      delete realm[name];
    }
  }
}

function keepOnly(object, names) {
  const always = ['length', 'name', 'prototype', 'constructor'];
  for (const name of Object.getOwnPropertyNames(object)) {
    const fixed = !Object.getOwnPropertyDescriptor(object, name).configurable;
    if (!fixed && !names.includes(name) && !always.includes(name)) {
      delete object[name];
    }
  }
}

/** Max's dictionary, with the methods that a script needs to fill it and Live to read it. */
class Dict {
  #entries = new Map();

  set(key, value) {
    this.#entries.set(key, value);
  }

  get(key) {
    return this.#entries.get(key) ?? null;
  }

  /** "Replaces the content of the dictionary with that of JSON": docs.cycling74.com, Dict. */
  parse(json) {
    this.#entries = new Map(Object.entries(JSON.parse(json)));
  }
}

/** Date by the host's clock, which the script's tasks use too. */
function clockDate(clock) {
  return class ClockDate extends Date {
    constructor(...parts) {
      super(...(parts.length === 0 ? [clock.now()] : parts));
    }
  };
}

const TASK_INTERVAL_MS = 500;

/** A function of the script that runs later, at low priority. */
function taskClass(js) {
  const { host } = js;

  return class Task {
    constructor(work, object, args) {
      this.function = work;
      this.object = object ?? js.script;
      this.arguments = args ?? [];
      this.interval = TASK_INTERVAL_MS;
      this.iterations = 0;
      this.timer = null;
      work.task = this;
    }

    get running() {
      return this.timer !== null;
    }

    schedule(delayMs = 0) {
      this.start(1, delayMs);
    }

    /** Repeats that many times; without a number, or with a negative one, until it is cancelled. */
    repeat(count = -1, delayMs = 0) {
      this.start(count < 0 ? Infinity : count, delayMs);
    }

    start(count, delayMs) {
      this.cancel();
      this.iterations = 0;
      this.wait(count, delayMs);
    }

    wait(count, delayMs) {
      const timer = host.after(delayMs, 'low', () => {
        this.execute();
        // Its function may have cancelled or rescheduled it.
        if (this.timer === timer && count > 1) {
          this.wait(count - 1, this.interval);
        } else if (this.timer === timer) {
          this.timer = null;
        }
      });
      this.timer = timer;
    }

    execute() {
      this.iterations += 1;
      js.call(() => this.function.apply(this.object, this.arguments));
    }

    cancel() {
      this.timer?.cancel();
      this.timer = null;
    }

    freepeer() {
      this.cancel();
    }
  };
}

/** The class LiveAPI, with callbacks that run as in Max. */
function liveApiClass(js) {
  const { host } = js;
  const wrapped = (value) => {
    if (typeof value !== 'function') {
      return value;
    }
    return function callback(...args) {
      host.run('low', () => js.call(() => value.apply(this, args)));
    };
  };
  return class LiveAPI extends host.LiveAPI {
    constructor(...args) {
      super(...args.map(wrapped));
    }
  };
}

/** A text file that a script writes. */
class File {
  #handle = null;

  constructor(name, access = 'read') {
    if (access !== 'write' && access !== 'readwrite') {
      throw new Error(`File: access '${access}' is not modelled`);
    }
    this.filename = name;
    this.access = access;
    this.position = 0;
    if (path.isAbsolute(name) && fs.existsSync(path.dirname(name))) {
      // The old content stays until `eof` is set.
      this.#handle = fs.openSync(name, fs.existsSync(name) ? 'r+' : 'w+');
    }
  }

  get isopen() {
    return this.#handle !== null;
  }

  get eof() {
    return this.isopen ? fs.fstatSync(this.#handle).size : 0;
  }

  set eof(bytes) {
    fs.ftruncateSync(this.#handle, bytes);
  }

  writestring(text) {
    this.position += fs.writeSync(this.#handle, String(text), this.position, 'utf8');
  }

  writeline(text) {
    this.writestring(`${text}\n`);
  }

  close() {
    if (this.isopen) {
      fs.closeSync(this.#handle);
      this.#handle = null;
    }
  }
}

module.exports = { js: Js };
