'use strict';

/**
 * A set of Live with devices in it, as a process: `node host_process.js '{"live": {…}}'`.
 *
 * Each line of its input is a call in JSON:
 * `{"id": 1, "call": "hosts.a.press", "args": ["Generate"]}`. The call is a dotted path from `live`
 * (the model), `hosts` (the devices by name) or `inputs` (the inputs of their tracks), or `addHost`
 * or `removeHost`. A path to a value instead of a method returns the value. With `"ref": true` the
 * result stays in the process, and the answer is `{"$ref": n}`: later calls use that in their
 * arguments, and `$n` at the beginning of a path.
 *
 * Each answer is a line `{"id": 1, "result": …}` or `{"id": 1, "error": "…"}`. Lines `{"event": …}`
 * report what a device shows, and clips in slots. The process ends with its input.
 */

const readline = require('node:readline');

const { createHost } = require('./max_host.js');
const { createLive } = require('./live_model.js');
const { realClock } = require('./max_world.js');
const { waveInput } = require('./max_wave.js');

const LOOK_MS = 20;

function main(options) {
  const clock = realClock();
  const live = createLive({ ...options.live, clock });
  const root = { live, hosts: {}, inputs: {} };
  const refs = [];

  root.addHost = async (name, { device, ...rest }) => {
    const input = waveInput({ clock, beats: () => root.hosts[name].transport() });
    const host = createHost({ ...rest, live, device, clock, audio: input });
    root.hosts[name] = host;
    root.inputs[name] = input;
    host.onChange = (shownName, box) => writeShown(name, shownName, box);
    await host.load();
  };
  root.removeHost = (name) => {
    const host = root.hosts[name];
    delete root.hosts[name];
    delete root.inputs[name];
    host.close();
  };

  const looking = setInterval(() => writeClips(live), LOOK_MS);
  const lines = readline.createInterface({ input: process.stdin });
  // One call after the other: `addHost` takes time.
  let last = Promise.resolve();
  lines.on('line', (line) => {
    last = last.then(() => answer(JSON.parse(line), root, refs));
  });
  lines.on('close', () => {
    last.then(() => {
      clearInterval(looking);
      const failed = Object.keys(root.hosts).filter((name) => !ends(root, name));
      process.exit(failed.length === 0 ? 0 : 1);
    });
  });
}

/** Whether a device closes without an error. */
function ends(root, name) {
  try {
    root.removeHost(name);
    return true;
  } catch (error) {
    process.stderr.write(`${name}: ${error.stack}\n`);
    return false;
  }
}

async function answer({ id, call, args = [], ref = false }, root, refs) {
  try {
    const result = await reach(call, args.map((value) => resolved(value, refs)), root, refs);
    writeLine({ id, result: ref ? keepRef(result, refs) : (result ?? null) });
  } catch (error) {
    writeLine({ id, error: error.stack ?? String(error) });
  }
}

function reach(call, args, root, refs) {
  const [first, ...names] = call.split('.');
  let owner = null;
  let value = first.startsWith('$') ? refs[Number(first.slice(1))] : root[first];
  for (const name of names) {
    owner = value;
    value = owner[name];
  }
  if (value === undefined) {
    throw new Error(`there is no ${call}`);
  }
  return typeof value === 'function' ? value.apply(owner, args) : value;
}

function resolved(value, refs) {
  if (value === null || typeof value !== 'object') {
    return value;
  }
  if ('$ref' in value) {
    return refs[value.$ref];
  }
  if (Array.isArray(value)) {
    return value.map((one) => resolved(one, refs));
  }
  const entries = Object.entries(value).map(([name, one]) => [name, resolved(one, refs)]);
  return Object.fromEntries(entries);
}

function keepRef(result, refs) {
  return { $ref: refs.push(result) - 1 };
}

function writeShown(host, name, box) {
  if (typeof box.shown === 'string') {
    writeLine({ event: 'shown', host, name, text: box.shown });
  }
}

const known = new Map();

/** Reports new clips in slots, and slots that have lost theirs. */
function writeClips(live) {
  live.song.tracks.forEach((track) => {
    track.slots.forEach((slot, at) => {
      const before = known.get(slot) ?? null;
      if (slot.clip !== before) {
        known.set(slot, slot.clip);
        const name = slot.clip === null ? null : slot.clip.name;
        writeLine({ event: 'clip', track: track.name, slot: at, name });
      }
    });
  });
}

function writeLine(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

main(JSON.parse(process.argv[2] ?? '{}'));
