'use strict';

/** Max's objects that only pass messages on. */

const { Float, fromAtoms, isNumber, message, plain, toAtoms } = require('./max_atoms.js');
const { parseWord, splitText } = require('./max_atoms.js');
const { Box, readParameter } = require('./max_box.js');

/** @typedef {import('./max_atoms.js').Message} Message */

/** Hears everything in one way. */
class Passing extends Box {
  /** @param {Message} heard @param {number} inlet */
  hear(heard, inlet) {
    throw new Error(`${this.label} hears nothing: ${heard.name} in ${inlet}`);
  }

  receive(inlet, heard) {
    this.hear(heard, inlet);
  }
}

class Prepend extends Passing {
  hear({ name, args }) {
    if (name === 'set') {
      this.args = args;
    } else {
      this.sendAtoms(0, [...this.args, ...toAtoms({ name, args })]);
    }
  }
}

class Append extends Passing {
  hear({ name, args }) {
    if (name === 'set') {
      this.args = args;
    } else {
      this.last = name === 'bang' ? (this.last ?? []) : toAtoms({ name, args });
      this.sendAtoms(0, [...this.last, ...this.args]);
    }
  }
}

class Route extends Passing {
  constructor(...all) {
    super(...all);
    this.args = this.args.length === 0 ? [0] : this.args;
    this.inlets = this.args.length + 1;
    this.outlets = this.args.length + 1;
  }

  hear(heard, inlet) {
    if (inlet > 0) {
      [this.args[inlet - 1]] = toAtoms(heard);
      return;
    }
    const atoms = toAtoms(heard);
    const at = this.args.findIndex((arg) => plain(arg) === plain(atoms[0]));
    const byType = at < 0 ? this.args.indexOf(heard.name) : -1;
    if (at >= 0) {
      this.sendAtoms(at, atoms.slice(1));
    } else if (byType >= 0) {
      this.sendAtoms(byType, atoms);
    } else {
      this.send(this.args.length, heard);
    }
  }
}

class Select extends Passing {
  constructor(...all) {
    super(...all);
    this.args = this.args.length === 0 ? [0] : this.args;
    this.inlets = this.args.length === 1 && isNumber(this.args[0]) ? 2 : 1;
    this.outlets = this.args.length + 1;
  }

  hear(heard, inlet) {
    const [first] = toAtoms(heard);
    if (inlet === 1) {
      this.args[0] = first;
      return;
    }
    const subject = heard.name === 'symbol' ? heard.args[0] : first;
    const at = this.args.findIndex((arg) => plain(arg) === plain(subject));
    this.send(at < 0 ? this.args.length : at, at < 0 ? heard : message('bang'));
  }
}

const CONVERSIONS = {
  b: () => message('bang'),
  i: ([first]) => message('int', isNumber(first) ? Math.trunc(plain(first)) : 0),
  f: ([first]) => message('float', new Float(isNumber(first) ? plain(first) : 0)),
  s: ([first]) => (isNumber(first) ? message('') : message(first)),
  l: (atoms, heard) => (heard.name === 'bang' ? message('int', 0) : heard),
};
const LONG_NAMES = { bang: 'b', int: 'i', float: 'f', symbol: 's', list: 'l', anything: 'l' };

class Trigger extends Passing {
  constructor(...all) {
    super(...all);
    this.args = this.args.length === 0 ? ['i', 'i'] : this.args;
    this.outlets = this.args.length;
  }

  hear(heard) {
    const atoms = heard.name === 'bang' ? [0] : toAtoms(heard);
    for (let outlet = this.outlets - 1; outlet >= 0; outlet -= 1) {
      const format = LONG_NAMES[this.args[outlet]] ?? this.args[outlet];
      const convert = CONVERSIONS[format];
      this.send(outlet, convert ? convert(atoms, heard) : fromAtoms([format]));
    }
  }
}

class Gate extends Passing {
  constructor(...all) {
    super(...all);
    this.inlets = 2;
    this.outlets = plain(this.args[0] ?? 1);
    this.open = plain(this.args[1] ?? 0);
  }

  hear(heard, inlet) {
    if (inlet === 1) {
      if (this.open > 0) {
        this.send(this.open - 1, heard);
      }
      return;
    }
    if (heard.name === 'bang') {
      this.send(0, message('int', this.open));
    } else if (['int', 'float'].includes(heard.name)) {
      this.open = Math.min(this.outlets, Math.max(0, Math.trunc(plain(heard.args[0]))));
    } else if (heard.name === 'next') {
      this.open = (this.open % this.outlets) + 1;
    } else {
      throw new Error(`${this.label} does not take '${heard.name}' in its left inlet`);
    }
  }
}

class Change extends Box {
  constructor(...all) {
    super(...all);
    this.outlets = 3;
    this.value = plain(this.args[0] ?? 0);
    this.handlers = {
      int: ([atom]) => this.hear(atom),
      float: ([atom]) => this.hear(atom),
      set: ([atom]) => {
        this.value = plain(atom);
      },
    };
  }

  hear(atom) {
    const old = this.value;
    this.value = plain(atom);
    if (old === this.value) {
      return;
    }
    if (old !== 0 && this.value === 0) {
      this.send(2, message('int', 1));
    } else if (old === 0) {
      this.send(1, message('int', 1));
    }
    this.sendAtoms(0, [atom]);
  }
}

class Deferlow extends Passing {
  hear(heard) {
    this.host.later(() => this.send(0, heard));
  }
}

class Defer extends Passing {
  hear(heard) {
    if (this.host.priority === 'low') {
      this.send(0, heard);
    } else {
      this.host.later(() => this.send(0, heard));
    }
  }
}

class Delay extends Box {
  constructor(...all) {
    super(...all);
    this.inlets = 2;
    this.ms = plain(this.args[0] ?? 0);
    const keep = ([atom], inlet) => {
      this.ms = Math.max(0, plain(atom));
      if (inlet === 0) {
        this.start();
      }
    };
    this.handlers = { bang: () => this.start(), stop: () => this.stop(), int: keep, float: keep };
  }

  start() {
    this.stop();
    this.timer = this.host.after(this.ms, 'high', () => this.send(0, message('bang')));
  }

  stop() {
    this.timer?.cancel();
  }
}

const METRO_DEFAULT_MS = 5;

class Metro extends Box {
  constructor(...all) {
    super(...all);
    this.inlets = 2;
    this.ms = plain(this.args[0] ?? this.attributes.interval ?? METRO_DEFAULT_MS);
    const number = ([atom], inlet) => {
      if (inlet === 1) {
        this.ms = Math.max(1, plain(atom));
      } else if (plain(atom) === 0) {
        this.stop();
      } else {
        this.start();
      }
    };
    this.handlers = {
      bang: () => this.start(),
      stop: () => this.stop(),
      int: number,
      float: number,
    };
  }

  loaded() {
    if (this.attributes.active === 1 || this.attributes.autostart === 1) {
      this.start();
    }
  }

  start() {
    this.stop();
    this.tick();
  }

  tick() {
    this.timer = this.host.after(this.ms, this.attributes.defer ? 'low' : 'high', () => {
      this.tick();
    });
    this.send(0, message('bang'));
  }

  stop() {
    this.timer?.cancel();
  }
}

class Loadbang extends Box {
  constructor(...all) {
    super(...all);
    this.handlers = { bang: () => this.loaded() };
  }

  loaded() {
    this.send(0, message('bang'));
  }
}

class Loadmess extends Box {
  constructor(...all) {
    super(...all);
    this.handlers = {
      bang: () => this.loaded(),
      set: (args) => {
        this.args = args;
      },
    };
  }

  loaded() {
    this.sendAtoms(0, this.args);
  }
}

class ThisDevice extends Box {
  constructor(...all) {
    super(...all);
    this.outlets = 3;
    this.handlers = { bang: () => this.begin(), getstate: () => this.send(2, message('int', 0)) };
  }

  begin() {
    this.send(1, message('int', 1));
    this.send(0, message('bang'));
  }
}

class MessageBox extends Passing {
  constructor(...all) {
    super(...all);
    this.inlets = 2;
    this.words = splitText(this.saved.text ?? '');
  }

  hear(heard, inlet) {
    const typed = () => toAtoms(heard).slice(1).map((atom) => ({ word: String(plain(atom)) }));
    if (inlet === 1) {
      this.words = toAtoms(heard).map((atom) => ({ word: String(plain(atom)) }));
    } else if (heard.name === 'set') {
      this.words = typed();
    } else if (heard.name === 'append') {
      this.words = [...this.words, ...typed()];
    } else if (heard.name === 'prepend') {
      this.words = [...typed(), ...this.words];
    } else {
      this.output(heard.name === 'bang' ? [] : toAtoms(heard));
    }
  }

  press() {
    this.output([]);
  }

  /** A comma ends a message; after a semicolon the first word is where it goes. */
  output(values) {
    let atoms = [];
    let remote = false;
    const flush = () => {
      if (atoms.length > 0 && remote) {
        this.host.sendNamed(atoms[0], fromAtoms(atoms.slice(1)));
      } else if (atoms.length > 0) {
        this.sendAtoms(0, atoms);
      }
      atoms = [];
    };
    for (const { word, quoted } of this.words) {
      if (!quoted && (word === ',' || word === ';')) {
        flush();
        remote = word === ';';
      } else {
        atoms.push(quoted ? word : replaced(word, values));
      }
    }
    flush();
  }
}

/** `$1` is the first value, with its type; within a word it is text. */
function replaced(word, values) {
  const alone = /^\$([1-9])$/.exec(word);
  if (alone) {
    return values[Number(alone[1]) - 1] ?? 0;
  }
  const filled = word.replace(/\$([1-9])/g, (_, digit) => String(plain(values[digit - 1] ?? 0)));
  return filled === word ? parseWord(word) : filled;
}

class Pattr extends Passing {
  constructor(...all) {
    super(...all);
    this.outlets = 3;
    this.parameter = readParameter(this.saved);
    this.atoms = this.parameter?.initial ?? [0];
  }

  get shown() {
    return this.atoms.map(plain).join(' ');
  }

  get value() {
    return this.shown;
  }

  hear(heard) {
    if (heard.name === 'bang') {
      this.output();
      return;
    }
    if (heard.name === 'init') {
      this.atoms = this.parameter?.initial ?? this.atoms;
    } else {
      this.atoms = toAtoms(heard);
    }
    this.host.changed(this);
    if (this.attributes.thru === undefined || this.attributes.thru === 1) {
      this.output();
    }
  }

  output() {
    this.sendAtoms(0, this.atoms);
  }

  save() {
    return this.atoms.map((atom) => (atom instanceof Float ? { float: atom.value } : atom));
  }

  restore(saved) {
    this.atoms = saved.map((atom) => (typeof atom === 'object' ? new Float(atom.float) : atom));
    this.output();
  }
}

class Send extends Passing {
  constructor(...all) {
    super(...all);
    this.outlets = 0;
  }

  hear(heard) {
    this.host.sendNamed(this.args[0], heard);
  }
}

class Receive extends Box {
  constructor(...all) {
    super(...all);
    this.inlets = 0;
    this.host.named(this.args[0], this);
  }

  hearNamed(heard) {
    this.send(0, heard);
  }

  freed() {
    this.host.unnamed(this.args[0], this);
  }
}

module.exports = {
  append: Append,
  change: Change,
  defer: Defer,
  deferlow: Deferlow,
  delay: Delay,
  gate: Gate,
  'live.thisdevice': ThisDevice,
  loadbang: Loadbang,
  loadmess: Loadmess,
  message: MessageBox,
  metro: Metro,
  pattr: Pattr,
  prepend: Prepend,
  r: Receive,
  receive: Receive,
  route: Route,
  s: Send,
  sel: Select,
  select: Select,
  send: Send,
  t: Trigger,
  trigger: Trigger,
};
