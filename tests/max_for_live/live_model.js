'use strict';

const { performance } = require('node:perf_hooks');

const { makeLiveAPI } = require('./live_api.js');
const { AudioClip } = require('./live_clip.js');
const { Device } = require('./live_devices.js');
const { LiveObject } = require('./live_object.js');
const { Song } = require('./live_song.js');
const { readWav } = require('./live_wav.js');

// Third party: `ClipSlot.create_audio_clip` came with this version.
const CREATE_AUDIO_CLIP_SINCE = [12, 0, 5];

const REAL_CLOCK = {
  now: () => performance.now(),
  setTimeout: (action, ms) => setTimeout(action, ms),
  clearTimeout: (handle) => clearTimeout(handle),
};

const DEFAULTS = {
  clock: REAL_CLOCK,
  tempo: 120,
  numerator: 4,
  denominator: 4,
  scenes: 8,
  filePath: '',
  version: '12.2',
  warpNewClips: true,
  loopNewClips: false,
  launchMode: 0,
  guessTempo: () => 117.3,
  analysisMs: 0,
  readWav,
  errorsThrow: false,
  idsAreNumbers: false,
  singlePrecision: false,
  dictsOnly: false,
};

/** Live itself. */
class Application extends LiveObject {}

// docs.cycling74.com/apiref/lom/application.
Application.LOM = {
  type: 'Application',
  children: {},
  properties: {},
  functions: {
    get_major_version: ({ live }) => live.version[0],
    get_minor_version: ({ live }) => live.version[1],
    get_bugfix_version: ({ live }) => live.version[2],
    get_version_string: ({ live }) => live.settings.version,
  },
};

/** One running Live with one set open, and the observers of all its devices. */
class Live {
  #objects = new Map();

  #lastId = 0;

  #lastNoteId = 0;

  #watchers = new Map();

  constructor(settings) {
    this.settings = { ...DEFAULTS, ...settings };
    const { guessTempo } = this.settings;
    if (typeof guessTempo !== 'function') this.settings.guessTempo = () => guessTempo;
    this.version = versionNumbers(this.settings.version);
    /** @type {string[]} what Live printed to the Max console, in order */
    this.errors = [];
    this.notifying = 0;
    this.application = new Application(this, null);
    this.song = new Song(this, this.settings);
  }

  /** Puts a device on a track, or in a chain of a rack. */
  addDevice(host, name) {
    const device = new Device(host, name);
    host.devices.push(device);
    host.notify('devices');
    return device;
  }

  /** Drags a device to another track: it keeps running and keeps its id; its path changes. */
  moveDevice(device, host) {
    const from = device.parent;
    takeOff(device);
    device.parent = host;
    host.devices.push(device);
    this.treeChanged();
    from.notify('devices');
    host.notify('devices');
  }

  /** Copies a device: the copy is another object, and its script starts afresh. */
  duplicate(device, host) {
    return this.addDevice(host, device.name);
  }

  deleteDevice(device) {
    const host = device.parent;
    takeOff(device);
    device.die();
    host.notify('devices');
  }

  /**
   * @param {Device} device
   * @param {{isReady?: () => boolean, lowPriority?: () => boolean}} host the Max around the script
   * @returns {{LiveAPI: Function}} the class for that device's script
   */
  attach(device, { isReady = () => true, lowPriority = () => true } = {}) {
    return { LiveAPI: makeLiveAPI(this, device, { isReady, lowPriority }) };
  }

  register(object) {
    this.#lastId += 1;
    this.#objects.set(this.#lastId, object);
    return this.#lastId;
  }

  forget(object) {
    this.#objects.delete(object.id);
    this.treeChanged();
  }

  objectById(id) {
    return this.#objects.get(id) || null;
  }

  nextNoteId() {
    this.#lastNoteId += 1;
    return this.#lastNoteId;
  }

  /** Whether a class of this version of Live has a function. */
  offers(type, name) {
    if (type !== 'ClipSlot' || name !== 'create_audio_clip') return true;
    const differing = CREATE_AUDIO_CLIP_SINCE.findIndex((part, at) => part !== this.version[at]);
    return differing < 0 || this.version[differing] > CREATE_AUDIO_CLIP_SINCE[differing];
  }

  print(message) {
    this.errors.push(`jsliveapi: ${message}`);
  }

  /** Runs work in a later task, as Live does when it defers. */
  later(action) {
    this.settings.clock.setTimeout(action, 0);
  }

  /**
   * Third-party: Live analyses a new clip for a while, and then overwrites markers that were set
   * before. Off unless `analysisMs` is set.
   */
  analyseLater(clip) {
    const { analysisMs, clock, guessTempo } = this.settings;
    if (!analysisMs || !(clip instanceof AudioClip) || !clip.warping) return;
    clock.setTimeout(() => {
      if (!clip.alive || !clip.warping) return;
      clip.startWarped(guessTempo(clip));
      clip.notify('warp_markers', 'loop_start', 'loop_end', 'start_marker', 'end_marker');
    }, analysisMs);
  }

  watch(api, { notify, refresh }) {
    this.#watchers.set(api, { notify, refresh });
  }

  notify(object, name) {
    [...this.#watchers.values()].forEach((watcher) => watcher.notify(object, name));
  }

  /** An object was added, deleted or moved: paths may lead elsewhere. */
  treeChanged() {
    [...this.#watchers.values()].forEach((watcher) => watcher.refresh());
  }

  /** Runs a script's callback. An exception is printed to the Max console, with no other effect. */
  inNotification(callback) {
    this.notifying += 1;
    try {
      callback();
    } catch (error) {
      this.errors.push(`js: ${error.message}`);
    } finally {
      this.notifying -= 1;
    }
  }

  /**
   * Follows a path.
   * @param {string} path as in docs.cycling74.com/apiref/lom, or "id N"
   * @param {Device} device the object of `this_device`
   * @returns {{object: LiveObject | null, valid: boolean}} a valid path may lead to no object, such
   *   as the clip of an empty slot
   */
  resolve(path, device) {
    if (/^(id )?\d+$/.test(path)) return this.#resolveId(Number(path.replace('id ', '')));
    const roots = { live_set: this.song, live_app: this.application, this_device: device };
    const [root, ...steps] = path.split(' ');
    if (!Object.hasOwn(roots, root) || !roots[root].alive) return { object: null, valid: false };
    let object = roots[root];
    while (steps.length && object) {
      const next = step(object, steps);
      if (next === undefined) return { object: null, valid: false };
      object = next;
    }
    return { object, valid: !steps.length };
  }

  #resolveId(id) {
    const object = this.objectById(id);
    return { object, valid: object !== null || id === 0 };
  }

  /** @returns {string} the canonical path of an object */
  pathOf(object) {
    if (object === this.song) return 'live_set';
    if (object === this.application) return 'live_app';
    return `${this.pathOf(object.parent)} ${placeIn(object.parent, object)}`;
  }
}

function takeOff(device) {
  const { devices } = device.parent;
  devices.splice(devices.indexOf(device), 1);
}

// Undefined for a step that the object does not have, null for one that leads to no object.
function step(object, steps) {
  const name = steps.shift();
  if (!Object.hasOwn(object.lom.children, name)) return undefined;
  const spec = object.lom.children[name];
  if (!spec.list) return spec.get(object);
  const index = steps.shift();
  return /^\d+$/.test(index || '') ? spec.get(object)[Number(index)] : undefined;
}

function placeIn(parent, object) {
  const named = Object.entries(parent.lom.children).filter(([name]) => name !== 'canonical_parent');
  for (const [name, spec] of named) {
    if (!spec.list && spec.get(parent) === object) return name;
    if (spec.list && canRead(spec, parent) && spec.get(parent).includes(object)) {
      return `${name} ${spec.get(parent).indexOf(object)}`;
    }
  }
  throw new Error(`${object.lom.type} ${object.id} is not among its parent's children`);
}

function canRead(spec, parent) {
  try {
    spec.get(parent);
    return true;
  } catch {
    return false;
  }
}

function versionNumbers(version) {
  const numbers = version.split('.').map(Number);
  return [0, 1, 2].map((place) => numbers[place] || 0);
}

/**
 * Starts a model of Live 12 with an empty set, as a Max for Live script sees it. It is as strict
 * as Live, or stricter where Live's behaviour is not known; each rule names its source.
 * "Third-party" means: observed in Live and published by others.
 * @param {object} [settings]
 * @param {{now: () => number, setTimeout: Function, clearTimeout: Function}} [settings.clock] ms
 * @param {number} [settings.tempo] bpm
 * @param {number} [settings.numerator]
 * @param {number} [settings.denominator]
 * @param {number} [settings.scenes] how many there are
 * @param {string} [settings.filePath] path of the set; '' if it was never saved
 * @param {string} [settings.version] of Live
 * @param {boolean} [settings.warpNewClips] a setting of the user, which no API reads
 * @param {boolean} [settings.loopNewClips] the same; only warped clips can loop
 * @param {((clip: AudioClip) => number | object[]) | number | object[]} [settings.guessTempo] the
 *   bpm that Live guesses for a clip, or all its visible warp markers
 * @param {number} [settings.analysisMs] how long Live analyses a new clip
 * @param {(path: string) => {frames: number, sampleRate: number, channels: number}}
 *   [settings.readWav]
 * @param {boolean} [settings.errorsThrow] whether a refusal throws in the script
 * @param {boolean} [settings.idsAreNumbers] `id` is a string; in older versions of Max a number
 * @param {boolean} [settings.singlePrecision] floats are rounded to 32 bits. Not documented: tests
 *   that scripts would work with it
 * @param {boolean} [settings.dictsOnly] `add_warp_marker` and `add_new_notes` refuse a plain object.
 *   Published scripts pass a Max `Dict`; whether Live needs one is not documented
 * @returns {Live}
 */
function createLive(settings = {}) {
  return new Live(settings);
}

module.exports = { createLive };
