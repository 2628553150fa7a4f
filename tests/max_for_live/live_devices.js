'use strict';

const { LiveObject, observed, plain, children, CANONICAL_PARENT } = require('./live_object.js');

/** A device on a track or in a rack's chain. */
class Device extends LiveObject {
  /**
   * @param {LiveObject} host the track or chain that contains it
   * @param {string} name
   */
  constructor(host, name = 'Melody Bridge') {
    super(host.live, host);
    this.name = name;
  }

  get track() {
    return this.parent.track;
  }
}

/** A rack: a device whose chains hold devices. */
class Rack extends Device {
  constructor(host, name = 'Audio Effect Rack') {
    super(host, name);
    this.chains = [];
  }

  get owned() {
    return this.chains;
  }

  /** @returns {Chain} */
  addChain(name = 'Chain') {
    const chain = new Chain(this, name);
    this.chains.push(chain);
    this.notify('chains');
    return chain;
  }
}

class Chain extends LiveObject {
  constructor(rack, name) {
    super(rack.live, rack);
    this.name = name;
    this.devices = [];
  }

  get track() {
    return this.parent.track;
  }

  get owned() {
    return this.devices;
  }

  /** @returns {Rack} a rack within the rack */
  addRack(name) {
    return addRack(this, name);
  }
}

/**
 * @param {LiveObject} host a track or a chain
 * @param {string} [name]
 * @returns {Rack}
 */
function addRack(host, name) {
  const rack = new Rack(host, name);
  host.devices.push(rack);
  host.notify('devices');
  return rack;
}

const NAME = observed('symbol', (object) => object.name);

// docs.cycling74.com/apiref/lom/device, rackdevice, chain. A chain has no clip_slots: a script
// that takes `this_device canonical_parent` for the track fails in a rack, as in Live.
Device.LOM = {
  type: 'MaxDevice',
  children: { canonical_parent: CANONICAL_PARENT },
  properties: {
    name: NAME,
    class_name: plain('symbol', () => 'MxDeviceAudioEffect'),
    can_have_chains: plain('bool', () => false),
  },
  functions: {},
};
Rack.LOM = {
  type: 'RackDevice',
  children: {
    canonical_parent: CANONICAL_PARENT,
    chains: children('Chain', (rack) => rack.chains),
  },
  properties: {
    name: NAME,
    class_name: plain('symbol', () => 'AudioEffectGroupDevice'),
    can_have_chains: plain('bool', () => true),
  },
  functions: {},
};
Chain.LOM = {
  type: 'Chain',
  children: {
    canonical_parent: CANONICAL_PARENT,
    devices: children('Device', (chain) => chain.devices),
  },
  properties: { name: NAME },
  functions: {},
};

module.exports = { Device, Rack, Chain, addRack };
