'use strict';

/**
 * @typedef {object} Property one property of a class of the Live Object Model
 * @property {string} type the documentation's name: int, float, bool, symbol, list, dict
 * @property {(object: LiveObject) => unknown} get
 * @property {(object: LiveObject, value: unknown) => void} [set] absent if read-only
 * @property {boolean} observe
 *
 * @typedef {object} Lom the members of a class that a script can use
 * @property {string} type the class's name
 * @property {Record<string, Property>} properties
 * @property {Record<string, {type: string, get: Function, set?: Function, observe: boolean,
 *   list: boolean}>} children
 * @property {Record<string, (object: LiveObject, ...parameters: unknown[]) => unknown>} functions
 */

/** An object of Live. Its id is never used for another object, not even later. */
class LiveObject {
  /**
   * @param {object} live the model
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

  /** @returns {LiveObject[]} the objects that are deleted with this one */
  get owned() {
    return [];
  }

  /** Deletes this object and all that it owns: from now on their ids lead nowhere. */
  die() {
    this.owned.forEach((object) => object.die());
    this.alive = false;
    this.live.forget(this);
  }

  /** Notifies the observers of a property. */
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
