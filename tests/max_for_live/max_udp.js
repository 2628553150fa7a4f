'use strict';

/** Max's udpsend and udpreceive, with OSC in between. */

const { Float, message, plain } = require('./max_atoms.js');
const { Box } = require('./max_box.js');
const osc = require('./osc.js');

const MAX_PACKET_BYTES = 5096;

class UdpSend extends Box {
  constructor(...all) {
    super(...all);
    this.outlets = 0;
    [this.address, this.port] = [String(this.args[0]), plain(this.args[1])];
    this.maxBytes = MAX_PACKET_BYTES;
    this.handlers = {
      host: ([name]) => {
        this.address = name;
      },
      port: ([port]) => {
        this.port = Math.trunc(plain(port));
      },
      maxpacketsize: ([bytes]) => {
        this.maxBytes = plain(bytes);
      },
      maxqueuesize: () => {},
      anything: (args, inlet, name) => this.transmit(name, args),
    };
  }

  transmit(address, args) {
    if (!address.startsWith('/')) {
      throw new Error(`${this.label}: '${address}' is no OSC address`);
    }
    const sent = { address, types: args.map(oscType).join(''), values: args.map(plain) };
    const bytes = osc.encode(sent);
    if (bytes.length > this.maxBytes) {
      this.host.printError(`udpsend: ${address} is larger than ${this.maxBytes} bytes`);
      return;
    }
    this.host.transmit(this.address, this.port, bytes);
  }
}

function oscType(atom) {
  if (atom instanceof Float) {
    return 'f';
  }
  return typeof atom === 'number' ? 'i' : 's';
}

class UdpReceive extends Box {
  constructor(...all) {
    super(...all);
    this.port = plain(this.args[0]);
    this.settable = ['defer', 'quiet'];
    this.handlers = { port: ([port]) => this.listen(Math.trunc(plain(port))), maxqueuesize: () => {} };
    this.receiver = null;
  }

  loaded() {
    this.listen(this.port);
  }

  freed() {
    this.receiver?.close();
    this.receiver = null;
  }

  listen(port) {
    this.freed();
    this.port = port;
    try {
      this.receiver = this.host.net.bind(port, (bytes) => this.hearDatagram(bytes));
    } catch (error) {
      this.host.printError(`udpreceive: cannot listen on port ${port} (${error.code ?? error})`);
    }
  }

  hearDatagram(bytes) {
    let messages;
    try {
      messages = osc.decode(bytes);
    } catch (error) {
      this.host.printError(`udpreceive: ${error.message}`);
      return;
    }
    this.host.run(this.attributes.defer === 1 ? 'low' : 'high', () => {
      for (const heard of messages) {
        const { address, types, values } = heard;
        this.host.received.push(heard);
        const atoms = values.map((value, at) => (types[at] === 'f' ? new Float(value) : value));
        this.send(0, message(address, ...atoms));
      }
    });
  }
}

module.exports = { udpreceive: UdpReceive, udpsend: UdpSend };
