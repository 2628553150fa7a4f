'use strict';

/** What all boxes of a patcher share: hearing messages, keeping attributes, being a parameter. */

const { attributesOf } = require('./max_attributes.js');
const { Float, fromAtoms, isNumber, message, plain, toAtoms, toText } = require('./max_atoms.js');

/** @typedef {import('./max_atoms.js').Message} Message */

const LABELS = ['text', 'texton'];

class Box {
  /**
   * @param {any} host the patcher that it is in
   * @param {any} saved its entry in the patcher's file
   * @param {{args: any[], attributes: Record<string, any[]>}} typed what is typed into it
   */
  constructor(host, saved, typed) {
    this.host = host;
    this.saved = saved;
    this.args = typed.args;
    this.typed = typed.attributes;
    this.attributes = { ...saved };
    for (const [name, values] of Object.entries(typed.attributes)) {
      this.setAttribute(name, values);
    }
    this.inlets = 1;
    this.outlets = 1;
    /** Outlets that carry a signal, and inlets that take one. */
    this.signalOutlets = [];
    this.signalInlets = [];
    /** @type {Record<string, (args: any[], inlet: number, name: string) => void>} */
    this.handlers = {};
    /** Names of attributes that a message sets. */
    this.settable = [];
  }

  get label() {
    const { id, maxclass, text, varname } = this.saved;
    return [maxclass === 'newobj' ? text : maxclass, varname ?? id].join(' ');
  }

  /**
   * @param {number} inlet
   * @param {Message} heard
   * @throws {Error} if it does not take that
   */
  receive(inlet, { name, args }) {
    const method = this.handlers[name] ?? this.converted(name) ?? this.handlers.anything;
    if (method !== undefined) {
      method(args, inlet, name);
    } else if (this.settable.includes(name)) {
      this.setAttribute(name, args);
      this.host.changed(this);
    } else {
      throw new Error(`${this.label} does not take '${toText(toAtoms({ name, args }))}'`);
    }
  }

  /** Max turns a number into the type that an object has a method for. */
  converted(name) {
    const other = { int: 'float', float: 'int' }[name];
    const method = other && this.handlers[other];
    if (!method) {
      return undefined;
    }
    const turn = (atom) => (name === 'int' ? new Float(atom) : Math.trunc(plain(atom)));
    return ([atom], inlet) => method([turn(atom)], inlet, other);
  }

  setAttribute(name, values) {
    // A label is one symbol: Max drops what follows.
    const plainValues = (LABELS.includes(name) ? values.slice(0, 1) : values).map(plain);
    this.attributes[name] = plainValues.length === 1 ? plainValues[0] : plainValues;
  }

  /**
   * @param {number} outlet
   * @param {Message} told
   */
  send(outlet, told) {
    this.host.send(this, outlet, told);
  }

  sendAtoms(outlet, atoms) {
    this.send(outlet, fromAtoms(atoms));
  }

  /** What the device's patcher does once all its boxes are there. */
  loaded() {}

  /** What is left of it when the device is taken away. */
  freed() {}
}

/** A box that the user sees. */
class Shown extends Box {
  constructor(host, saved, typed) {
    super(host, saved, typed);
    this.settable = attributesOf(saved.maxclass);
  }

  /** @throws {Error} if the mouse cannot reach it */
  click() {
    if (this.attributes.hidden || this.attributes.ignoreclick) {
      throw new Error(`${this.label} cannot be clicked`);
    }
  }
}

const TYPES = ['float', 'int', 'enum', 'blob'];
const LARGEST_INT = 255;

/** What a parameter's entry in the file says of its values. */
function readParameter(saved) {
  const value = saved.saved_attribute_attributes?.valueof;
  if (value === undefined) {
    return null;
  }
  const type = TYPES[value.parameter_type ?? 0];
  const items = value.parameter_enum ?? [];
  return {
    name: value.parameter_longname,
    type,
    items,
    low: value.parameter_mmin ?? 0,
    high: type === 'enum' ? items.length - 1 : (value.parameter_mmax ?? 127),
    initial: value.parameter_initial_enable ? value.parameter_initial : undefined,
  };
}

/**
 * A number as Live keeps it: within the range, whole for an int or an item, 32 bits for a float.
 *
 * @param {{type: string, low: number, high: number}} parameter
 * @param {number} value
 */
function kept(parameter, value) {
  const clipped = Math.min(parameter.high, Math.max(parameter.low, value));
  if (parameter.type === 'float') {
    return Math.fround(clipped);
  }
  // Live keeps an int in a byte.
  const largest = parameter.type === 'int' ? LARGEST_INT : parameter.high;
  return Math.min(largest, Math.trunc(clipped));
}

module.exports = { Box, Float, Shown, isNumber, kept, message, plain, readParameter };
