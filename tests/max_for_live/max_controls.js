'use strict';

/** Max's objects for the user interface, as far as their messages go: nothing is drawn. */

const { fromAtoms, parseWord, toText } = require('./max_atoms.js');
const { Float, Shown, isNumber, kept, message, plain, readParameter } = require('./max_box.js');

const ASCII_RETURN = 13;

/** A value of Live's: numbers, switches and menus. */
class Valued extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.parameter = readParameter(saved) ?? { type: 'float', items: [], low: 0, high: 127 };
    this.value = kept(this.parameter, this.parameter.initial?.[0] ?? this.parameter.low);
    const store = ([atom]) => this.enter(this.number(atom));
    this.handlers = {
      int: store,
      float: store,
      bang: () => this.output(),
      outputvalue: () => this.output(),
      assign: store,
      init: () => this.enter(this.parameter.initial?.[0] ?? this.parameter.low),
      rawfloat: ([atom]) => {
        const { low, high } = this.parameter;
        this.enter(low + this.number(atom) * (high - low));
      },
      set: ([atom]) => this.keep(this.number(atom)),
    };
  }

  number(atom) {
    if (atom === undefined || !isNumber(atom)) {
      throw new Error(`${this.label} wants a number, got '${atom}'`);
    }
    return plain(atom);
  }

  keep(value) {
    this.value = kept(this.parameter, value);
    this.host.changed(this);
  }

  enter(value) {
    this.keep(value);
    this.output();
  }

  get raw() {
    const { low, high } = this.parameter;
    return new Float(high === low ? 0 : (this.value - low) / (high - low));
  }

  get shown() {
    return String(this.parameter.items[this.value] ?? this.value);
  }

  /** As a set keeps it. */
  save() {
    return this.value;
  }

  restore(value) {
    this.enter(value);
  }

  output() {
    const whole = this.parameter.type === 'int';
    this.send(1, message('float', this.raw));
    this.send(0, message(whole ? 'int' : 'float', whole ? this.value : new Float(this.value)));
  }
}

class LiveNumber extends Valued {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 2;
  }
}

class LiveToggle extends Valued {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.parameter = { ...this.parameter, type: 'enum', low: 0, high: 1 };
    this.value = kept(this.parameter, this.value);
    delete this.handlers.rawfloat;
    const store = ([atom]) => this.enter(this.number(atom) === 0 ? 0 : 1);
    Object.assign(this.handlers, {
      int: store,
      float: store,
      bang: () => this.enter(1 - this.value),
      set: ([atom]) => this.keep(this.number(atom) === 0 ? 0 : 1),
    });
  }

  press() {
    this.enter(1 - this.value);
  }

  output() {
    this.send(0, message('int', this.value));
  }
}

class LiveButton extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.parameter = readParameter(saved);
    this.handlers = { anything: () => this.press() };
    this.value = 0;
  }

  receive(inlet, heard) {
    // Any message flashes it; an attribute's name is none.
    if (this.settable.includes(heard.name)) {
      this.setAttribute(heard.name, heard.args);
      return;
    }
    super.receive(inlet, heard);
  }

  press() {
    this.send(0, message('bang'));
  }

  /** A mapped pad, or automation: it goes down with a number above 0. */
  enter(value) {
    if (value > 0) {
      this.press();
    }
  }
}

const BUTTON = 0;

class LiveText extends LiveToggle {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 2;
    const { set } = this.handlers;
    this.handlers.set = (args, inlet) => this.switches('set') && set(args, inlet, 'set');
    this.handlers.symbol = ([name]) => this.switches('symbol') && this.enter(this.named(name));
    this.handlers.setsymbol = ([name]) => this.switches('setsymbol') && this.keep(this.named(name));
    this.handlers.outputvalue = () => this.output();
    if (this.isButton) {
      this.value = 0;
    }
  }

  get isButton() {
    return this.attributes.mode === BUTTON;
  }

  get shown() {
    return this.value === 1 ? this.attributes.texton : this.attributes.text;
  }

  switches(name) {
    if (this.isButton) {
      throw new Error(`${this.label} is a button: '${name}' is for a switch`);
    }
    return true;
  }

  named(name) {
    const value = [this.attributes.text, this.attributes.texton].indexOf(name);
    if (value < 0) {
      throw new Error(`${this.label} has no text '${name}'`);
    }
    return value;
  }

  press() {
    if (this.isButton) {
      this.flash();
    } else {
      super.press();
    }
  }

  enter(value) {
    if (!this.isButton) {
      super.enter(value);
    } else if (value > 0) {
      this.flash();
    }
  }

  restore(value) {
    // A button springs back: what was saved of it says nothing.
    if (!this.isButton) {
      super.restore(value);
    }
  }

  flash() {
    this.send(1, fromAtoms([this.attributes.texton ?? '']));
    this.send(0, message('bang'));
  }

  output() {
    if (this.isButton) {
      return;
    }
    this.send(1, fromAtoms([this.shown ?? '']));
    super.output();
  }
}

class LiveMenu extends Valued {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 3;
    const find = (args) => this.indexOf(toText(args));
    Object.assign(this.handlers, {
      symbol: (args) => this.enter(find(args)),
      setsymbol: (args) => this.keep(find(args)),
    });
  }

  get items() {
    return this.parameter.items;
  }

  indexOf(item) {
    const index = typeof item === 'number' ? item : this.items.indexOf(item);
    if (index < 0 || index >= this.items.length) {
      throw new Error(`${this.label} has no item '${item}'`);
    }
    return index;
  }

  choose(item) {
    this.enter(this.indexOf(item));
  }

  output() {
    this.send(2, message('float', this.raw));
    this.send(1, fromAtoms([this.shown]));
    this.send(0, message('int', this.value));
  }
}

class Comment extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 0;
    this.handlers = {
      set: (args) => this.show(toText(args)),
      append: (args) => this.show(`${this.shown} ${toText(args)}`),
      prepend: (args) => this.show(`${toText(args)} ${this.shown}`),
    };
  }

  get shown() {
    return this.attributes.text ?? '';
  }

  show(text) {
    this.attributes.text = text;
    this.host.changed(this);
  }
}

class Drawing extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 0;
  }
}

const SILENCE_DB = -70;

class LiveMeter extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 2;
    this.signalInlets = [0];
    this.value = SILENCE_DB;
    const show = (db) => {
      this.value = db;
      this.host.changed(this);
    };
    this.handlers = {
      db: ([atom]) => show(plain(atom)),
      float: ([atom]) => show(20 * Math.log10(Math.max(plain(atom), 1e-9))),
    };
  }
}

class TextEdit extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 4;
    this.shown = saved.text ?? '';
    const fill = (args) => this.fill(toText(args));
    this.handlers = {
      bang: () => this.output(),
      int: fill,
      float: fill,
      list: fill,
      set: fill,
      append: (args) => this.fill([this.shown, toText(args)].filter(Boolean).join(' ')),
      clear: () => this.fill(''),
      select: () => {},
    };
  }

  fill(text) {
    this.shown = text;
    this.host.changed(this);
  }

  /** Everything is replaced, one key after the other. */
  type(text) {
    this.fill('');
    this.send(3, message('textchanged'));
    for (const character of text) {
      this.fill(this.shown + character);
      this.send(3, message('textchanged'));
      this.send(1, message('int', character.codePointAt(0)));
    }
  }

  pressReturn() {
    if (this.attributes.keymode === 1) {
      this.output();
    } else {
      this.fill(`${this.shown}\n`);
      this.send(3, message('textchanged'));
      this.send(1, message('int', ASCII_RETURN));
    }
  }

  output() {
    const whole = this.attributes.outputmode === 1;
    const words = whole ? [this.shown] : this.shown.split(/\s+/).map(parseWord);
    // No document tells what an empty text gives; nothing after the word is what scripts trip over.
    this.send(0, message('text', ...(this.shown === '' ? [] : words)));
  }
}

class UMenu extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 3;
    this.items = splitItems(saved.items ?? []);
    this.value = 0;
    this.handlers = {
      bang: () => this.output(),
      int: ([atom]) => this.enter(plain(atom)),
      append: (args) => this.edit([...this.items, toText(args)]),
      clear: () => this.edit([]),
      set: (args) => this.keep(isNumber(args[0]) ? plain(args[0]) : this.beginning(toText(args))),
      setsymbol: (args) => this.keep(this.items.indexOf(toText(args))),
      symbol: (args) => this.enter(this.beginning(toText(args))),
      count: () => this.send(2, message('count', this.items.length)),
    };
  }

  get shown() {
    return this.items[this.value] ?? '';
  }

  edit(items) {
    this.items = items;
    this.value = Math.min(this.value, Math.max(0, items.length - 1));
    this.host.changed(this);
  }

  beginning(text) {
    return this.items.findIndex((item) => item.startsWith(text));
  }

  /** An item that is not there leaves the menu as it is. */
  keep(index) {
    if (index < 0 || index >= this.items.length) {
      return false;
    }
    this.value = Math.trunc(index);
    this.host.changed(this);
    return true;
  }

  enter(index) {
    if (this.keep(index)) {
      this.output();
    }
  }

  choose(item) {
    const index = typeof item === 'number' ? item : this.items.indexOf(item);
    if (index < 0 || index >= this.items.length) {
      throw new Error(`${this.label} has no item '${item}': ${this.items.join(', ')}`);
    }
    this.enter(index);
  }

  output() {
    if (this.items.length > 0) {
      this.sendAtoms(1, this.shown.split(' ').map(parseWord));
      this.send(0, message('int', this.value));
    }
  }
}

/** A patcher's file keeps items as atoms, with a comma between two. */
function splitItems(saved) {
  const items = [[]];
  for (const atom of saved) {
    if (atom === ',') {
      items.push([]);
    } else {
      items[items.length - 1].push(atom);
    }
  }
  return items.filter((words) => words.length > 0).map((words) => words.join(' '));
}

class MultiSlider extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.outlets = 2;
    const [low, high] = saved.setminmax ?? [-1, 1];
    this.clip = (atom) => Math.min(high, Math.max(low, plain(atom)));
    this.values = new Array(saved.size ?? 1).fill(this.clip(0));
    const all = ([atom]) => this.enter(this.values.map(() => this.clip(atom)));
    this.handlers = {
      bang: () => this.output(),
      int: all,
      float: all,
      list: (args) => this.enter(args.map(this.clip)),
      setlist: (args) => this.keep(args.map(this.clip)),
      set: (args) => this.setOne(args),
    };
  }

  get value() {
    return this.values.length === 1 ? this.values[0] : this.values;
  }

  /** Counted from 1. */
  setOne([slider, value]) {
    if (value === undefined || plain(slider) < 1 || plain(slider) > this.values.length) {
      throw new Error(`${this.label}: 'set' wants a slider's number and a value`);
    }
    this.keep(this.values.map((old, at) => (at === plain(slider) - 1 ? this.clip(value) : old)));
  }

  keep(values) {
    this.values = values;
    this.host.changed(this);
  }

  enter(values) {
    this.keep(values);
    this.output();
  }

  output() {
    this.sendAtoms(0, this.values.map((value) => new Float(value)));
  }
}

class Slider extends Shown {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.value = saved.min ?? 0;
    this.handlers = {
      bang: () => this.output(),
      int: ([atom]) => this.enter(plain(atom)),
      set: ([atom]) => this.keep(plain(atom)),
    };
  }

  keep(value) {
    const low = this.attributes.min ?? 0;
    const high = low + (this.attributes.size ?? 128) - 1;
    this.value = Math.min(high, Math.max(low, value));
    this.host.changed(this);
  }

  enter(value) {
    this.keep(value);
    this.output();
  }

  output() {
    this.send(0, message('int', Math.trunc(this.value)));
  }
}

module.exports = {
  comment: Comment,
  'live.button': LiveButton,
  'live.comment': Comment,
  'live.dial': LiveNumber,
  'live.line': Drawing,
  'live.menu': LiveMenu,
  'live.meter~': LiveMeter,
  'live.numbox': LiveNumber,
  'live.slider': LiveNumber,
  'live.tab': LiveMenu,
  'live.text': LiveText,
  'live.toggle': LiveToggle,
  multislider: MultiSlider,
  panel: Drawing,
  slider: Slider,
  textedit: TextEdit,
  umenu: UMenu,
};
