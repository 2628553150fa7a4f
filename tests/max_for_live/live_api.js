'use strict';

const { LiveObject } = require('./live_object.js');
const { LiveRefusal, refuse } = require('./live_values.js');

const ROOTS = ['this_device', 'control_surfaces', 'live_app', 'live_set'];

// "\"No object\"" with its quotation marks: third-party, `js` in Live.
const NO_OBJECT = '"No object"';

/**
 * Makes the `LiveAPI` class that one device's `js` object sees:
 * docs.cycling74.com/apiref/js/liveapi.
 * @param {object} live the model
 * @param {LiveObject} device the object of `this_device`
 * @param {{isReady: () => boolean, lowPriority: () => boolean}} host isReady: whether
 *   `live.thisdevice` has banged; lowPriority: whether the present call runs in the low-priority
 *   thread
 */
function makeLiveAPI(live, device, host) {
  return class LiveAPI {
    #target = null;

    #givenPath = '';

    #callback = null;

    #property = '';

    #mode = 0;

    /**
     * `new LiveAPI()`, `(path)`, `("id 5")`, `(5)`, `(callback, path)`; null counts as no callback.
     * @param {...unknown} args
     */
    constructor(...args) {
      const rest = [...args];
      if (typeof rest[0] === 'function' || rest[0] === null || rest[0] === undefined) {
        this.#callback = rest.shift() || null;
      }
      live.watch(this, {
        notify: (object, name) => this.#notified(object, name),
        refresh: () => this.#refresh(),
      });
      const [path] = rest;
      if (path === undefined) this.#attempt(() => this.#checkUse());
      else this.#pointAt(path);
    }

    /** "id [String]": this catches scripts that compare it with a number. */
    get id() {
      const id = this.#target ? this.#target.id : 0;
      return live.settings.idsAreNumbers ? id : String(id);
    }

    set id(id) {
      this.#pointAt(`id ${String(id).replace(/^id /, '')}`);
    }

    /** The canonical path, in quotation marks (third-party: so `js` shows it; v8 does not). */
    get path() {
      return this.#target ? `"${this.unquotedpath}"` : '';
    }

    set path(path) {
      this.#pointAt(path);
    }

    get unquotedpath() {
      return this.#target ? live.pathOf(this.#target) : '';
    }

    get type() {
      return this.#target ? this.#target.lom.type : '';
    }

    get children() {
      return this.#target ? Object.keys(this.#target.lom.children) : [...ROOTS];
    }

    get info() {
      return this.#target ? describe(this.#target, live) : NO_OBJECT;
    }

    /** 0 follows the object to other paths; 1 follows the path to other objects. */
    get mode() {
      return this.#mode;
    }

    set mode(mode) {
      this.#mode = Number(mode);
      this.#refresh();
    }

    get property() {
      return this.#property;
    }

    /** Observes a property: the callback gets its value at once and on each change. '' stops it. */
    set property(name) {
      this.#attempt(() => {
        this.#checkUse();
        this.#property = '';
        if (!name) return;
        const spec = this.#propertyOf(name) || this.#childOf(name);
        if (!spec) refuse(`invalid property name: ${name}`);
        if (!spec.observe) refuse(`property cannot be listened to: ${name}`);
        this.#property = name;
        this.#tellValue();
      });
    }

    goto(path) {
      this.#pointAt(path);
    }

    /**
     * @param {string} name of a property or child
     * @returns {unknown[] | null} always a list in `js`; null when Live refuses
     */
    get(name) {
      return this.#attempt(() => this.#read(name));
    }

    /** @returns {string | null} */
    getstring(name) {
      const value = this.get(name);
      return value === null ? null : value.join(' ');
    }

    /** @returns {number} 0 when Live refuses */
    getcount(name) {
      return this.#attempt(() => {
        const spec = this.#childOf(name, this.#targetOrRefuse());
        if (!spec || !spec.list) return refuse(`invalid property name: ${name}`);
        return spec.get(this.#target).length;
      }) || 0;
    }

    set(name, ...values) {
      this.#attempt(() => {
        const target = this.#targetOrRefuse();
        checkMayChange(live);
        const spec = this.#propertyOf(name) || this.#childOf(name);
        if (!spec) refuse(`invalid property name: ${name}`);
        if (!spec.set) refuse(`property is read-only: ${name}`);
        const given = values.length > 1 && values[0] !== 'id' ? values : this.#resolve(values)[0];
        spec.set(target, given);
      });
    }

    /** @returns {unknown} the function's result: an object as ["id", n]; null for none */
    call(name, ...parameters) {
      return this.#attempt(() => {
        const target = this.#targetOrRefuse();
        const { functions } = target.lom;
        if (!Object.hasOwn(functions, name) || !live.offers(target.lom.type, name)) {
          return refuse(`no valid function name: ${name}`);
        }
        if (!name.startsWith('get_')) checkMayChange(live);
        const result = functions[name](target, ...this.#resolve(parameters));
        if (result instanceof LiveObject) return ['id', result.id];
        return ['string', 'number'].includes(typeof result) || Array.isArray(result)
          ? result : null;
      });
    }

    #pointAt(path) {
      this.#attempt(() => {
        this.#checkUse();
        this.#givenPath = String(path).replace(/"/g, '').trim().replace(/\s+/g, ' ');
        const { object, valid } = live.resolve(this.#givenPath, device);
        this.#retarget(object);
        // A path that leads nowhere is printed, never thrown: third-party consoles show the line
        // although the scripts used try.
        if (!valid) live.print(`invalid path: ${path}`);
      });
    }

    #refresh() {
      if (this.#mode === 1 && !this.#givenPath.startsWith('id ')) {
        this.#retarget(live.resolve(this.#givenPath, device).object);
      } else if (this.#target && !this.#target.alive) {
        this.#retarget(null);
      }
    }

    // "This function will be called when the LiveAPI object refers to a new object in Live (if the
    // LiveAPI object's path change, for instance), or when an observed property changes."
    #retarget(object) {
      if (object === this.#target) return;
      this.#target = object;
      this.#notify(['id', object ? object.id : 0]);
      if (object && this.#property) this.#tellValue();
    }

    #notified(object, name) {
      if (object === this.#target && name === this.#property) this.#tellValue();
    }

    #tellValue() {
      const value = this.#attempt(() => this.#read(this.#property));
      if (value !== null) this.#notify([this.#property, ...value]);
    }

    #notify(message) {
      if (this.#callback) live.inNotification(() => this.#callback.call(this, message));
    }

    #read(name) {
      const target = this.#targetOrRefuse();
      const property = this.#propertyOf(name);
      if (property) return asAtoms(property, property.get(target), live);
      const spec = this.#childOf(name);
      if (!spec) return refuse(`invalid property name: ${name}`);
      const objects = spec.list ? spec.get(target) : [spec.get(target)];
      return objects.flatMap((object) => ['id', object ? object.id : 0]);
    }

    #propertyOf(name) {
      const { properties } = this.#targetOrRefuse().lom;
      return Object.hasOwn(properties, name) ? properties[name] : null;
    }

    #childOf(name) {
      const { children } = this.#targetOrRefuse().lom;
      return Object.hasOwn(children, name) ? children[name] : null;
    }

    /** Replaces "id 5" and "id", 5 in the parameters by the objects with these ids. */
    #resolve(parameters) {
      const resolved = [];
      for (let place = 0; place < parameters.length; place += 1) {
        const value = parameters[place];
        if (value === 'id') {
          place += 1;
          resolved.push(live.objectById(Number(parameters[place])));
        } else if (typeof value === 'string' && /^id \d+$/.test(value)) {
          resolved.push(live.objectById(Number(value.slice(3))));
        } else {
          resolved.push(value);
        }
      }
      return resolved;
    }

    #targetOrRefuse() {
      this.#checkUse();
      return this.#target || refuse('no valid object set');
    }

    #checkUse() {
      // "you cannot use the LiveAPI object in JavaScript global code. Use the live.thisdevice
      // object to determine when your Max Device has completely loaded".
      if (!host.isReady()) refuse('Live API is not initialized: wait for live.thisdevice');
      // "The LiveAPI object cannot be created or used in the high-priority thread".
      if (!host.lowPriority()) refuse('LiveAPI used in the high-priority thread');
    }

    // Sources disagree on the effect of a refusal in the script: reports say that it throws, third
    // parties that `try` does not catch it and the console shows it. Tests of scripts use both
    // settings.
    #attempt(action) {
      try {
        return action();
      } catch (error) {
        if (!(error instanceof LiveRefusal)) throw error;
        live.print(error.message);
        if (live.settings.errorsThrow) throw new Error(`jsliveapi: ${error.message}`);
        return null;
      }
    }
  };
}

/**
 * "it is not possible to modify the live set from a notification":
 * docs.cycling74.com/reference/live.observer. The text of Live's refusal: third-party.
 */
function checkMayChange(live) {
  if (!live.notifying) return;
  refuse('Changes cannot be triggered by notifications. You will need to defer your response.');
}

function asAtoms({ type }, value, live) {
  if (type === 'bool') return [value ? 1 : 0];
  if (type === 'list') return [...value];
  if (type === 'float' && live.settings.singlePrecision) return [Math.fround(value)];
  return [value];
}

/** docs.cycling74.com/reference/live.object, getinfo: one line for each member. */
function describe(object, live) {
  const { type, properties, children, functions } = object.lom;
  const lines = [
    `id ${object.id}`,
    `type ${type}`,
    ...Object.entries(children).map(([name, spec]) =>
      `${spec.list ? 'children' : 'child'} ${name} ${spec.type}`.trim()),
    ...Object.entries(properties).map(([name, spec]) => `property ${name} ${spec.type}`),
    ...Object.keys(functions).filter((name) => live.offers(type, name))
      .map((name) => `function ${name}`),
    'done',
  ];
  return `"${lines.join('\n')}"`;
}

module.exports = { makeLiveAPI };
