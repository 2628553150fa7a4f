'use strict';

/**
 * @typedef {object} Property one property of a class of the Live Object Model
 * @property {string} type as the documentation names it: int, float, bool, symbol, list, dict
 * @property {(object: LiveObject) => unknown} get
 * @property {(object: LiveObject, value: unknown) => void} [set] absent: read-only
 * @property {boolean} observe
 *
 * @typedef {object} Lom what a script can reach of a class
 * @property {string} type the class's name
 * @property {Record<string, Property>} properties
 * @property {Record<string, {type: string, get: Function, set?: Function, observe: boolean,
 *   list: boolean}>} children
 * @property {Record<string, (object: LiveObject, ...parameters: unknown[]) => unknown>} functions
 */

/** An object of Live: it has an id for as long as it lives, and never one that another had. */
class LiveObject {
  /**
   * @param {object} live the model that it is part of
   * @param {LiveObject | null} parent its canonical parent
   */
  constructor(live, parent) {
    this.live = live;
    this.parent = parent;
    this.alive = true;
    // "These ids are dynamic and awarded in realtime": docs.cycling74.com/apiref/js/liveapi, id.
    this.id = live.register(this);
  }

  /** @returns {Lom} */
  get lom() {
    return this.constructor.LOM;
  }

  /** @returns {LiveObject[]} what dies with this object */
  get owned() {
    return [];
  }

  /** Ends the life of this object and all it owns: their ids lead nowhere from now on. */
  die() {
    this.owned.forEach((object) => object.die());
    this.alive = false;
    this.live.forget(this);
  }

  /** Tells the observers of a property that it changed. */
  notify(...names) {
    names.forEach((name) => this.live.notify(this, name));
  }
}

/**
 * @param {string} type
 * @param {Property['get']} get
 * @param {Property['set']} [set]
 * @returns {Property} a property that can be observed
 */
function observed(type, get, set) {
  return { type, get, set, observe: true };
}

/**
 * @param {string} type
 * @param {Property['get']} get
 * @param {Property['set']} [set]
 * @returns {Property} a property that cannot be observed
 */
function plain(type, get, set) {
  return { type, get, set, observe: false };
}

/**
 * @param {string} type the child's class
 * @param {(object: LiveObject) => LiveObject | null} get
 * @param {{observe?: boolean, set?: Function}} [how]
 */
function child(type, get, { observe = false, set } = {}) {
  return { type, get, set, observe, list: false };
}

/**
 * @param {string} type the children's class
 * @param {(object: LiveObject) => LiveObject[]} get
 */
function children(type, get) {
  return { type, get, observe: true, list: true };
}

/** `canonical_parent` cannot be listened to: third-party, from Live 12's console. */
const CANONICAL_PARENT = child('', (object) => object.parent);

module.exports = { LiveObject, observed, plain, child, children, CANONICAL_PARENT };
