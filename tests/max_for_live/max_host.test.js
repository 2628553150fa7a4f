'use strict';

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const osc = require('./osc.js');
const { createHost, manualClock } = require('./max_host.js');
const { assertEs5Syntax } = require('./max_es5.js');
const { createLive } = require('./live_model.js');
const { readWave, waveFile, waveInput } = require('./max_wave.js');

const PARAMETER_TYPES = { float: 0, int: 1, enum: 2, blob: 3 };

/** A box of a patcher's file. Boxes are positioned from left to right, in their order. */
function box(id, text, more = {}) {
  const isObject = !('maxclass' in more);
  return { id, ...(isObject ? { maxclass: 'newobj' } : {}), text, varname: id, ...more };
}

function parameter(name, type, { initial, low, high, items } = {}) {
  return {
    parameter_enable: 1,
    saved_attribute_attributes: {
      valueof: {
        parameter_longname: name,
        parameter_type: PARAMETER_TYPES[type],
        ...(initial === undefined
          ? {}
          : { parameter_initial_enable: 1, parameter_initial: [initial] }),
        ...(low === undefined ? {} : { parameter_mmin: low, parameter_mmax: high }),
        ...(items === undefined ? {} : { parameter_enum: items }),
      },
    },
  };
}

const button = (id, name = id) =>
  box(id, id, { maxclass: 'live.text', mode: 0, ...parameter(name, 'enum', { items: ['', ''] }) });

/** A script that reports every message to the test. */
const LISTENER = `
  inlets = 1; outlets = 2;
  function anything() { outlet(0, '/received', messagename, arrayfromargs(arguments)); }
  function msg_int(n) { outlet(0, '/received', 'int', n); }
  function msg_float(n) { outlet(0, '/received', 'float', n); }
  function list() { outlet(0, '/received', 'list', arrayfromargs(arguments)); }
`;

/** A device of boxes and cords `from[.outlet] to[.inlet]`; it closes at the end of the test. */
async function device(t, { boxes, cords, script = LISTENER, ...options }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'max-host-'));
  const end = (text) => {
    const [id, at] = text.split('.');
    return [id, Number(at ?? 0)];
  };
  const patcher = {
    boxes: boxes.map((one, at) => ({ box: { patching_rect: [20 * at, 20, 10, 10], ...one } })),
    lines: cords.map((cord) => {
      const [source, destination] = cord.split(' ').map(end);
      return { patchline: { source, destination } };
    }),
  };
  const patcherPath = path.join(folder, 'test.maxpat');
  fs.writeFileSync(patcherPath, JSON.stringify({ patcher }));
  fs.writeFileSync(path.join(folder, 'script.js'), script);
  const clock = options.clock ?? manualClock();
  const host = createHost({ patcherPath, clock, net: silentNet(), ...options });
  t.after(() => {
    host.failures.length = 0;
    host.close();
    fs.rmSync(folder, { recursive: true });
  });
  await host.load();
  return { host, clock, folder };
}

/** A network on which only the test sends. */
function silentNet() {
  const listening = new Map();
  return {
    bind(port, onDatagram) {
      if (listening.has(port)) {
        throw new Error(`port ${port} is taken`);
      }
      listening.set(port, onDatagram);
      return { close: () => listening.delete(port) };
    },
    send: () => {},
    close: () => {},
    deliver: (port, address, types, values) =>
      listening.get(port)?.(osc.encode({ address, types, values })),
  };
}

const HEARD = [box('js', 'js script.js'), box('udp', 'udpsend 127.0.0.1 9999')];
const HEARD_CORDS = ['js udp'];
const received = (host) => host.sent.map(({ values }) => values.join(' '));

/** Adds a script that receives the messages of one box. */
const withScript = (boxes, cords, last) => ({
  boxes: [...boxes, ...HEARD],
  cords: [...cords, ...HEARD_CORDS, `${last} js`],
});

test('a button sends its bang through the cords into the script and out as OSC', async (t) => {
  const { host } = await device(
    t,
    withScript(
      [button('Generate'), box('tell', 'prepend press generate')],
      ['Generate tell'],
      'tell',
    ),
  );
  host.press('Generate');
  assert.deepEqual(host.sent, [
    { address: '/received', types: 'sss', values: ['press', 'generate', 'bang'], port: 9999 },
  ]);
});

test('of several boxes the rightmost receives first, then the lower one', async (t) => {
  const { host } = await device(t, {
    boxes: [
      box('low', 'prepend low', { patching_rect: [10, 90, 10, 10] }),
      box('high', 'prepend high', { patching_rect: [10, 10, 10, 10] }),
      box('right', 'prepend right', { patching_rect: [90, 10, 10, 10] }),
      box('start', 'go', { maxclass: 'message' }),
      ...HEARD,
    ],
    cords: ['start low', 'start high', 'start right', 'low js', 'high js', 'right js', 'js udp'],
  });
  host.press('start');
  assert.deepEqual(received(host), ['right go', 'low go', 'high go']);
});

test('a trigger sends from right to left, depth first', async (t) => {
  const boxes = [
    box('start', '7', { maxclass: 'message' }),
    box('t', 't b i f s word'),
    ...['a', 'b', 'c', 'd', 'e'].map((name) => box(name, `prepend ${name}`)),
  ];
  const cords = ['start t', ...['a', 'b', 'c', 'd', 'e'].flatMap((name, at) => [
    `t.${at} ${name}`,
    `${name} js`,
  ])];
  const { host } = await device(t, { boxes: [...boxes, ...HEARD], cords: [...cords, 'js udp'] });
  host.press('start');
  assert.deepEqual(received(host), ['e word', 'd ', 'c 7', 'b 7', 'a bang']);
});

test('route removes the first word, and passes on unknown messages', async (t) => {
  const boxes = [
    box('one', 'one, one 3, one two 3, other 4, 5 6', { maxclass: 'message' }),
    box('route', 'route one 5'),
    ...['a', 'b', 'c'].map((name) => box(name, `prepend ${name}`)),
  ];
  const cords = ['one route', 'route a', 'route.1 b', 'route.2 c', 'a js', 'b js', 'c js'];
  const { host } = await device(t, { boxes: [...boxes, ...HEARD], cords: [...cords, 'js udp'] });
  host.press('one');
  assert.deepEqual(received(host), ['a bang', 'a 3', 'a two 3', 'c other 4', 'b 6']);
});

test('a message box inserts values and keeps quoted text as one symbol', async (t) => {
  const { host } = await device(
    t,
    withScript(
      [
        box('n', 'n', { maxclass: 'live.numbox', ...parameter('N', 'float', { low: 0, high: 9 }) }),
        box('m', 'take "two words, one symbol" $1 20, x$1 \\, y', { maxclass: 'message' }),
      ],
      ['n m'],
      'm',
    ),
  );
  host.sent.length = 0;
  host.setValue('N', 2.5);
  assert.deepEqual(
    host.sent.map(({ values, types }) => [types, ...values]),
    [
      ['ssfi', 'take', 'two words, one symbol', 2.5, 20],
      ['sss', 'x2.5', ',', 'y'],
    ],
  );
});

/** Objects: number of outlets, messages in, and messages out with their outlets. */
const OBJECTS = [
  ['prepend a b', 1, '1, x 2, bang, set c, 3', '0 a b 1, 0 a b x 2, 0 a b bang, 0 c 3'],
  ['append 7', 1, '1, x, bang, set 8, bang', '0 1 7, 0 x 7, 0 x 7, 0 x 8'],
  ['route int a', 3, '4, a, a b c, 2.5, z 1', '0 4, 1 bang, 1 b c, 2 2.5, 2 z 1'],
  ['sel 1 go', 3, '1, go, 2, x y', '0 bang, 1 bang, 2 2, 2 x y'],
  ['select 3', 2, '3, 4', '0 bang, 1 4'],
  ['t l b 5', 3, 'x 1', '2 5, 1 bang, 0 x 1'],
  ['trigger i i', 2, '2.7', '1 2, 0 2'],
  ['change', 3, '0, 5, 5, 0, set 3, 3, 4', '1 1, 0 5, 2 1, 0 0, 0 4'],
  ['pattr p', 3, '1 2, bang, x', '0 1 2, 0 1 2, 0 x'],
  ['pattr p @thru 0', 3, '1 2, x, bang', '0 x'],
  ['loadmess a 1', 1, 'bang, set b, bang', '0 a 1, 0 a 1, 0 b'],
  ['gate 2 2', 2, 'bang, next, bang', '0 2, 0 1'],
];

test('objects behave as their reference says', async (t) => {
  for (const [text, count, given, expected] of OBJECTS) {
    const outlets = Array.from({ length: count }, (_, at) => box(`o${at}`, `prepend /x ${at}`));
    const start = box('start', given, { maxclass: 'message' });
    const { host } = await device(t, {
      boxes: [start, box('object', text), ...outlets, box('udp', 'udpsend 127.0.0.1 9999')],
      cords: [
        'start object',
        ...outlets.flatMap(({ id }, at) => [`object.${at} ${id}`, `${id} udp`]),
      ],
    });
    host.press('start');
    assert.equal(received(host).join(', '), expected, text);
  }
});

test('a gate passes messages while it is open', async (t) => {
  const boxes = [
    box('left', '2', { maxclass: 'message' }),
    box('right', 'x', { maxclass: 'message' }),
    box('gate', 'gate 2'),
    box('a', 'prepend /a'),
    box('b', 'prepend /b'),
    box('udp', 'udpsend 127.0.0.1 9999'),
  ];
  const cords = ['left gate', 'right gate.1', 'gate a', 'gate.1 b', 'a udp', 'b udp'];
  const { host } = await device(t, { boxes, cords });
  host.press('right');
  host.press('left');
  host.press('right');
  assert.deepEqual(host.sent.map(({ address }) => address), ['/b']);
});

test('a message goes to every receive of that name, also in another device', async (t) => {
  const name = `shared${process.pid}`;
  const boxes = [
    box('go', 'x 1', { maxclass: 'message' }),
    box('s', `send ${name}`),
    box('own', 's ---own'),
    box('r', `r ${name}`),
    box('hear', 'receive ---own'),
    box('a', 'prepend /shared'),
    box('b', 'prepend /own'),
    box('udp', 'udpsend 127.0.0.1 9999'),
  ];
  const cords = ['go s', 'go own', 'r a', 'hear b', 'a udp', 'b udp'];
  const one = await device(t, { boxes, cords });
  const two = await device(t, { boxes, cords });
  one.host.press('go');
  const addresses = ({ host }) => host.sent.map(({ address }) => address).sort();
  assert.deepEqual([addresses(one), addresses(two)], [['/own', '/shared'], ['/shared']]);
});

test('a menu of Live is chosen from by text, number and message', async (t) => {
  const menu = box('q', '', {
    maxclass: 'live.menu',
    ...parameter('Quantization', 'enum', { initial: 1, items: ['Global', 'None', '1 Bar'] }),
  });
  const boxes = [menu, box('m', 'symbol "1 Bar", setsymbol None', { maxclass: 'message' })];
  const { host } = await device(t, {
    boxes: [...boxes, ...HEARD],
    cords: ['q js', 'm q', 'js udp'],
  });
  host.choose('Quantization', 'Global');
  host.choose('Quantization', 1);
  host.press('m');
  assert.deepEqual(received(host), ['int 1', 'int 0', 'int 1', 'int 2']);
  assert.equal(host.text('Quantization'), 'None');
});

test('a number stays in its range, and is sent with its type', async (t) => {
  const boxes = [
    box('f', 'f', {
      maxclass: 'live.dial',
      ...parameter('F', 'float', { initial: 0.1, low: 0, high: 4 }),
    }),
    box('i', 'i', { maxclass: 'live.numbox', ...parameter('I', 'int', { low: 1, high: 900 }) }),
  ];
  const { host } = await device(t, {
    boxes: [...boxes, ...HEARD],
    cords: ['f js', 'i js', 'js udp'],
  });
  assert.equal(host.value('F'), Math.fround(0.1));
  host.sent.length = 0;
  host.setValue('F', 99);
  host.setValue('I', 700.5);
  assert.deepEqual(received(host), ['float 4', 'int 255']);
});

test('a switch sends 0 and 1, `set` sends nothing, and a button refuses `set`', async (t) => {
  const toggle = box('thru', 'off', {
    maxclass: 'live.text',
    mode: 1,
    texton: 'on',
    ...parameter('Thru', 'enum', { initial: 1, items: ['off', 'on'] }),
  });
  const set = box('set', 'set 1', { maxclass: 'message' });
  const wrong = box('wrong', 'set 1', { maxclass: 'message' });
  const { host } = await device(t, {
    boxes: [toggle, set, button('go'), wrong, ...HEARD],
    cords: ['thru js', 'set thru', 'wrong go', 'js udp'],
  });
  host.press('Thru');
  assert.equal(host.text('Thru'), 'off');
  host.press('set');
  assert.equal(host.text('Thru'), 'on');
  assert.deepEqual(received(host), ['int 1', 'int 0']);
  assert.throws(() => host.press('wrong'), /button/);
});

test('a text field sends every key, and its text as one symbol', async (t) => {
  const boxes = [
    box('field', '', { maxclass: 'textedit', outputmode: 1, keymode: 1 }),
    box('changed', 't b'),
    box('symbol', 'route text'),
    box('tell', 'prepend prompt'),
  ];
  const cords = ['field.3 changed', 'changed field', 'field symbol', 'symbol tell'];
  const { host } = await device(t, withScript(boxes, cords, 'tell'));
  const prompt = 'a "b", é';
  host.type('field', prompt);
  assert.equal(host.sent.at(-1).values[1], prompt);
  assert.equal(host.sent.length, 1 + [...prompt].length);
  host.type('field', '');
  assert.deepEqual(host.sent.at(-1).values, ['prompt', 'bang']);
  host.pressReturn('field');
  assert.equal(host.text('field'), '');
});

test('a menu can be filled, chosen from, and set by name without a message', async (t) => {
  const boxes = [
    box('fill', 'clear, append one, append "lofi keys", setsymbol "lofi keys"', {
      maxclass: 'message',
    }),
    box('menu', '', { maxclass: 'umenu' }),
  ];
  const { host } = await device(t, withScript(boxes, ['fill menu'], 'menu'));
  host.press('fill');
  assert.deepEqual([host.items('menu'), host.text('menu')], [['one', 'lofi keys'], 'lofi keys']);
  assert.deepEqual(received(host), []);
  host.choose('menu', 'one');
  assert.deepEqual(received(host), ['int 0']);
  assert.throws(() => host.choose('menu', 'two'), /no item/);
});

test('a box that cannot be clicked in Max cannot be pressed', async (t) => {
  for (const attribute of ['ignoreclick', 'hidden']) {
    const off = box('off', `${attribute} 1`, { maxclass: 'message' });
    const { host } = await device(t, { boxes: [off, button('b')], cords: ['off b'] });
    host.press('b');
    host.press('off');
    assert.throws(() => host.press('b'), /cannot be clicked/);
  }
});

test('a multislider is set by an index and a value, not by a value alone', async (t) => {
  const boxes = [
    box('right', 'set 1 0.5', { maxclass: 'message' }),
    box('wrong', 'set 1', { maxclass: 'message' }),
    box('bar', '', { maxclass: 'multislider', setminmax: [0, 1] }),
  ];
  const { host } = await device(t, { boxes, cords: ['right bar', 'wrong bar'] });
  host.press('right');
  assert.equal(host.value('bar'), 0.5);
  assert.throws(() => host.press('wrong'), /slider/);
});

test('saved values are restored before live.thisdevice bangs', async (t) => {
  const boxes = [
    box('bars', '', {
      maxclass: 'live.numbox',
      ...parameter('Bars', 'float', { initial: 4, low: 1, high: 64 }),
    }),
    box('tell', 'prepend bars'),
    box('prompt', 'pattr prompt @thru 0 @parameter_enable 1', parameter('Prompt', 'blob')),
    box('remember', 'prepend remember'),
    box('keep', '"warm, é"', { maxclass: 'message' }),
    box('this', 'live.thisdevice'),
  ];
  const description = {
    boxes: [...boxes, ...HEARD],
    cords: [
      ...['bars tell', 'tell js', 'prompt remember', 'remember js', 'keep prompt', 'this js'],
      'js udp',
    ],
  };
  const first = await device(t, description);
  assert.equal(received(first.host).at(-1), 'bang');
  first.host.setValue('Bars', 8);
  first.host.press('keep');
  const saved = JSON.parse(JSON.stringify(first.host.save()));
  assert.deepEqual(saved, { Bars: 8, Prompt: ['warm, é'] });
  const second = await device(t, { ...description, parameters: saved });
  assert.deepEqual(received(second.host), ['bars 8', 'remember warm, é', 'bang']);
  second.host.loadPreset({ ...saved, Bars: 2 });
  assert.deepEqual(received(second.host).slice(3), ['bars 2', 'remember warm, é', 'bang']);
});

test('metro and delay send at high priority, and the script receives at low', async (t) => {
  const live = { attach: (_, hooks) => ({ LiveAPI: priorityProbe(hooks) }) };
  const script = `
    outlets = 1;
    function bang() { outlet(0, '/received', new LiveAPI().low ? 'low' : 'high'); }
  `;
  const { host, clock } = await device(t, {
    ...withScript([button('go'), box('delay', 'delay 200'), box('metro', 'metro 50')], [
      'go delay',
      'delay metro',
    ], 'metro'),
    script,
    live,
  });
  host.press('go');
  clock.advance(199);
  assert.deepEqual(received(host), []);
  clock.advance(1 + 50 + 50);
  assert.deepEqual(received(host), ['low', 'low', 'low']);
});

/** A LiveAPI that only knows the priority at which it was created. */
function priorityProbe(hooks) {
  return class {
    constructor() {
      this.low = hooks.lowPriority();
    }
  };
}

test('defer waits at high priority only, and deferlow always', async (t) => {
  const boxes = [
    box('go', 'x', { maxclass: 'message' }),
    box('low', 'deferlow'),
    box('a', 'prepend deferlow'),
    box('b', 'prepend defer'),
    box('c', 'prepend direct'),
    box('defer', 'defer'),
  ];
  const cords = ['go low', 'go defer', 'go c', 'low a', 'defer b', 'a js', 'b js', 'c js'];
  const { host } = await device(t, { boxes: [...boxes, ...HEARD], cords: [...cords, 'js udp'] });
  host.press('go');
  assert.deepEqual(received(host), ['defer x', 'direct x', 'deferlow x']);
});

test('a script posts, schedules and repeats', async (t) => {
  const script = `
    outlets = 1;
    var count = 0;
    var task = new Task(function (word) {
      count += 1;
      outlet(0, '/received', word + count, arguments.callee.task.running);
      if (count === 4) { task.cancel(); }
    }, this, ['tick']);
    task.interval = 100;
    function bang() { task.repeat(); post('on', [1, 2]); post(); error('so', 1, '\\n'); }
  `;
  const { host, clock } = await device(t, { ...withScript([button('go')], [], 'go'), script });
  host.press('go');
  clock.advance(250);
  assert.deepEqual(received(host), ['tick1 1', 'tick2 1', 'tick3 1']);
  clock.advance(1000);
  assert.equal(host.sent.length, 4);
  assert.deepEqual(host.console, ['on 1 2', 'error: so 1']);
});

test('a script sends whole numbers as ints, others as floats, and arrays flattened', async (t) => {
  const script = `
    outlets = 1;
    function bang() { outlet(0, '/x', 3.0, [1.5, 'a b'], true); }
  `;
  const { host } = await device(t, { ...withScript([button('go')], [], 'go'), script });
  host.press('go');
  assert.deepEqual(host.sent, [
    { address: '/x', types: 'ifsi', values: [3, 1.5, 'a b', 1], port: 9999 },
  ]);
});

test('sending an invalid value through an outlet is an error', async (t) => {
  const refused = ["outlet(0, '/x', NaN)", "outlet(0, '/x', {})", "outlet(1, '/x')", 'outlet(0)'];
  for (const bad of refused) {
    const script = `outlets = 1; function bang() { ${bad}; }`;
    const { host } = await device(t, { ...withScript([button('go')], [], 'go'), script });
    assert.throws(() => host.press('go'), undefined, bad);
  }
});

test('an exception in a script is in the console and fails the next call', async (t) => {
  const script = 'outlets = 1; var t = new Task(function () { nowhere(); }); t.schedule(10);';
  const { host, clock } = await device(t, { ...withScript([button('go')], [], 'go'), script });
  clock.advance(10);
  assert.match(host.console[0], /error: ReferenceError: nowhere/);
  assert.throws(() => host.press('go'), /nowhere/);
});

test('a script has ES5 only', async (t) => {
  const laters = ['Promise', '[].find', '"".repeat', 'Object.assign', 'setTimeout', 'require'];
  for (const later of laters) {
    const script = `outlets = 1; function bang() { outlet(0, '/x', String(typeof ${later})); }`;
    const { host } = await device(t, { ...withScript([button('go')], [], 'go'), script });
    host.press('go');
    assert.deepEqual(host.sent[0].values, ['undefined'], later);
  }
});

test('newer syntax than ES5 is refused', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'max-es5-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const script = path.join(folder, 'script.js');
  fs.writeFileSync(script, 'var a = { get b() { return 1; } };\n');
  assertEs5Syntax(script);
  const laters = ['let a;', 'var f = () => 1;', 'var s = `a`;', 'f(...a);', 'var o = { a };'];
  for (const later of laters) {
    fs.writeFileSync(script, later);
    assert.throws(() => assertEs5Syntax(script), SyntaxError, later);
  }
});

test('only functions of the script can be called', async (t) => {
  const script = "outlets = 1; function inner() { outlet(0, '/x', 1); } inner.local = 1;";
  const message = (text) => box('m', text, { maxclass: 'message' });
  for (const text of ['inner', 'other', 'post']) {
    const { host } = await device(t, { ...withScript([message(text)], [], 'm'), script });
    assert.throws(() => host.press('m'), /no function/, text);
    assert.deepEqual(host.sent, []);
  }
});

test('a script can write a file, and sees whether it was opened', async (t) => {
  const script = `
    outlets = 1;
    function write(path) {
      var file = new File(path, 'write', 'TEXT');
      if (file.isopen) { file.eof = 0; file.writeline('é'); file.writestring('x'); }
      outlet(0, '/received', file.isopen);
      file.close();
    }
  `;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'max-file-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'report.txt');
  fs.writeFileSync(file, 'what was longer');
  const boxes = [
    box('here', `write "${file}"`, { maxclass: 'message' }),
    box('gone', 'write /nowhere/report.txt', { maxclass: 'message' }),
  ];
  const description = withScript(boxes, ['gone js'], 'here');
  const { host } = await device(t, { ...description, script });
  host.press('here');
  host.press('gone');
  assert.equal(fs.readFileSync(file, 'utf8'), 'é\nx');
  assert.deepEqual(received(host), ['1', '0']);
});

test('an endless loop through cords and an endless queue are errors', async (t) => {
  const loop = [box('go', 'x', { maxclass: 'message' }), box('p', 'prepend y')];
  const { host } = await device(t, { boxes: loop, cords: ['go p', 'p p'] });
  assert.throws(() => host.press('go'), /stack overflow/);
  const slow = [box('go', 'x', { maxclass: 'message' }), box('d', 'deferlow')];
  const other = await device(t, { boxes: slow, cords: ['go d', 'd d'] });
  assert.throws(() => other.host.press('go'), /never ends/);
});

test('a patcher that Max would not make is refused', async (t) => {
  const refused = [
    { boxes: [box('a', 'nonesuch')], cords: [], error: /no object 'nonesuch'/ },
    { boxes: [box('a', 'prepend x'), box('b', 'deferlow')], cords: ['a b.1'], error: /no inlet 1/ },
    { boxes: [box('a', 'defer'), box('b', 'deferlow')], cords: ['a.1 b'], error: /no outlet 1/ },
    { boxes: [box('a', 'plugin~'), box('b', 'deferlow')], cords: ['a b'], error: /no signal/ },
    { boxes: [box('a', 'prepend x')], cords: ['a z'], error: /not there/ },
    { boxes: [box('a', 'gate 2', { numoutlets: 1 })], cords: [], error: /2 outlets, not 1/ },
  ];
  for (const { error, ...description } of refused) {
    await assert.rejects(device(t, description), error);
  }
});

test('a message that an object does not take is an error', async (t) => {
  const boxes = [box('m', 'frobnicate 1', { maxclass: 'message' }), box('x', 'change')];
  const { host } = await device(t, { boxes, cords: ['m x'] });
  assert.throws(() => host.press('m'), /change.*does not take 'frobnicate 1'/);
});

test('an attribute is set by its name, a label by one symbol only', async (t) => {
  const boxes = [
    box('m', 'active 0, bgcolor 1. 0. 0. 1., text two words', { maxclass: 'message' }),
    button('b'),
  ];
  const { host } = await device(t, { boxes, cords: ['m b'] });
  host.press('m');
  assert.equal(host.attribute('b', 'active'), 0);
  assert.deepEqual(host.attribute('b', 'bgcolor'), [1, 0, 0, 1]);
  assert.equal(host.text('b'), 'two');
});

test('udpreceive listens on its newest port, unless that is taken', async (t) => {
  const net = silentNet();
  net.bind(9003, () => {});
  const boxes = [
    box('two', 'port 9002', { maxclass: 'message' }),
    box('three', 'port 9003', { maxclass: 'message' }),
    box('in', 'udpreceive 9001 @defer 1'),
  ];
  const { host } = await device(t, { ...withScript(boxes, ['two in', 'three in'], 'in'), net });
  net.deliver(9001, '/a', 'if', [1, 2]);
  assert.deepEqual(host.sent[0].values, ['/a', 1, 2]);
  host.press('two');
  net.deliver(9001, '/b', '', []);
  net.deliver(9002, '/c', 's', ['é']);
  assert.deepEqual(received(host), ['/a 1 2', '/c é']);
  host.press('three');
  net.deliver(9002, '/d', '', []);
  assert.equal(host.sent.length, 2);
  assert.match(host.console[0], /9003/);
});

test('udpreceive is at high priority unless it is deferred', async (t) => {
  // The script receives at once at low priority, and after all others at high.
  const orders = { '@defer 1': ['/received', '/direct'], '@defer 0': ['/direct', '/received'] };
  for (const [attribute, order] of Object.entries(orders)) {
    const net = silentNet();
    const boxes = [box('in', `udpreceive 9001 ${attribute}`), box('direct', 'prepend /direct')];
    const description = withScript(boxes, ['in direct', 'direct udp'], 'in');
    const { host } = await device(t, { ...description, net });
    net.deliver(9001, '/a', '', []);
    assert.deepEqual(host.sent.map(({ address }) => address), order);
  }
});

test('a float stays a float through all boxes', async (t) => {
  const dial = box('f', '', { maxclass: 'live.dial', ...parameter('F', 'float') });
  const filled = box('filled', '/x $1 3. 3', { maxclass: 'message' });
  const { host } = await device(t, {
    boxes: [dial, filled, box('udp', 'udpsend 127.0.0.1 9999')],
    cords: ['f filled', 'filled udp'],
  });
  host.setValue('F', 2);
  assert.equal(host.sent.at(-1).types, 'ffi');
});

test('automation and mapped pads press a button when they rise, at high priority', async (t) => {
  const boxes = [
    button('go'),
    box('direct', 'prepend /direct'),
    box('defer', 'defer'),
    box('deferred', 'prepend /deferred'),
    box('udp', 'udpsend 127.0.0.1 9999'),
  ];
  const { host } = await device(t, {
    boxes,
    cords: ['go direct', 'go defer', 'defer deferred', 'direct udp', 'deferred udp'],
  });
  host.automate('go', 0);
  assert.deepEqual(host.sent, []);
  host.automate('go', 1);
  host.press('go');
  const addresses = host.sent.map(({ address }) => address);
  assert.deepEqual(addresses, ['/direct', '/deferred', '/deferred', '/direct']);
});

test('OSC is sent and received through a real socket', async (t) => {
  const other = dgram.createSocket('udp4');
  t.after(() => other.close());
  await new Promise((done) => other.bind(0, '127.0.0.1', done));
  const free = dgram.createSocket('udp4');
  await new Promise((done) => free.bind(0, '127.0.0.1', done));
  const { port } = free.address();
  await new Promise((done) => free.close(done));
  const boxes = [button('go'), box('in', `udpreceive ${port} @defer 1`), box('js', 'js script.js')];
  const out = box('udp', `udpsend 127.0.0.1 ${other.address().port}`);
  const { host } = await device(t, {
    boxes: [...boxes, out],
    cords: ['go js', 'in js', 'js udp'],
    script: `${LISTENER} function notifydeleted() { outlet(0, '/bye'); }`,
    net: undefined,
  });
  const arrived = new Promise((done) => other.once('message', done));
  host.press('go');
  assert.deepEqual(osc.decode(await arrived), [
    { address: '/received', types: 's', values: ['bang'] },
  ]);
  const echoed = new Promise((done) => other.once('message', done));
  other.send(osc.encode({ address: '/back', types: 'i', values: [7] }), port, '127.0.0.1');
  assert.deepEqual(osc.decode(await echoed)[0].values, ['/back', 7]);
  const last = new Promise((done) => other.once('message', done));
  host.close();
  assert.equal(osc.decode(await last)[0].address, '/bye');
});

const ramp = (first, frames) =>
  Float32Array.from({ length: frames }, (_, at) => ((first + at) % 1000) / 1000);

test('a track\'s input plays a file from a moment on, or in the song\'s time', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'max-wave-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'ramp.wav');
  fs.writeFileSync(file, waveFile([ramp(0, 400)], 1000, 'float32'));
  const clock = manualClock();
  const song = { isPlaying: false, beats: 0, tempo: 120 };
  const input = waveInput({ clock, beats: () => song, sampleRate: 1000 });
  assert.deepEqual(input.trackInput(0, 3), []);
  clock.advance(1000);
  input.play(file);
  assert.deepEqual(input.trackInput(0.998, 4)[1], Float32Array.of(0, 0, 0, 0.001));
  assert.deepEqual(input.trackInput(1.399, 2)[0], Float32Array.of(Math.fround(0.399), 0));
  input.play(file, { loop: true });
  assert.deepEqual(input.trackInput(1.399, 2)[0], Float32Array.of(Math.fround(0.399), 0));
  assert.deepEqual(input.trackInput(1.401, 1)[0], Float32Array.of(Math.fround(0.001)));
  input.followSong(file);
  assert.deepEqual(input.trackInput(1, 1), []);
  Object.assign(song, { isPlaying: true, beats: 0.5 });
  // A quarter of a second into the song.
  assert.deepEqual(input.trackInput(1, 1)[0], Float32Array.of(Math.fround(0.25)));
  assert.throws(() => waveInput({ clock, beats: () => song }).play(file), /1000 Hz/);
});

const rampInput = {
  sampleRate: 1000,
  trackInput: (startSeconds, frames) => [
    ramp(Math.round(startSeconds * 1000), frames),
    new Float32Array(frames).fill(0.5),
  ],
};

const RECORDER = [
  box('in', 'plugin~'),
  box('rec', 'record~ ---take 2'),
  box('buf', 'buffer~ ---take 1000 2'),
  box('bang', 'prepend written'),
  box('on', '1', { maxclass: 'message' }),
  box('off', '0', { maxclass: 'message' }),
];
const RECORDER_CORDS = ['in rec', 'in.1 rec.1', 'on rec', 'off rec', 'buf.1 bang', 'bang js'];

test('record~ fills the buffer~ from plugin~, and the file is complete at the bang', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'max-take-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'take.wav');
  const write = box('write', `setsize 300 2, format float32`, { maxclass: 'message' });
  const save = box('save', `writewave "${file}"`, { maxclass: 'message' });
  const { host, clock } = await device(t, {
    boxes: [...RECORDER, write, save, ...HEARD],
    cords: [...RECORDER_CORDS, 'write buf', 'save buf', 'js udp'],
    audio: rampInput,
  });
  host.press('write');
  clock.advance(120);
  host.press('on');
  clock.advance(200);
  host.press('off');
  clock.advance(50);
  host.press('save');
  assert.deepEqual(received(host), []);
  clock.advance(1);
  assert.deepEqual(received(host), ['written bang']);
  const { sampleRate, channels } = readWave(file);
  assert.equal(sampleRate, 1000);
  // The file has the length of the buffer, not of the recording.
  assert.deepEqual(channels.map((channel) => channel.length), [300, 300]);
  assert.deepEqual(channels[0].slice(0, 200), ramp(120, 200));
  assert.deepEqual(channels[0].slice(200), new Float32Array(100));
  assert.deepEqual(channels[1].slice(0, 200), new Float32Array(200).fill(0.5));
});

test('a file that cannot be written is an error and no bang', async (t) => {
  const save = box('save', 'writewave /nowhere/take.wav', { maxclass: 'message' });
  const { host, clock } = await device(t, {
    boxes: [...RECORDER, save, ...HEARD],
    cords: [...RECORDER_CORDS, 'save buf', 'js udp'],
  });
  host.press('save');
  clock.advance(10);
  assert.match(host.console[0], /cannot write/);
  assert.deepEqual(received(host), []);
});

test('two devices with --- names have separate buffers', async (t) => {
  const description = { boxes: [...RECORDER, ...HEARD], cords: [...RECORDER_CORDS, 'js udp'] };
  const one = await device(t, description);
  const two = await device(t, description);
  const name = ({ host }) => host.boxes.find((each) => each.saved.id === 'buf').name;
  assert.notEqual(name(one), name(two));
  assert.match(name(one), /take$/);
});

test('the output is the input times the gain, and peakamp~ reports the peak', async (t) => {
  const { host, clock } = await device(t, {
    ...withScript(
      [
        box('in', 'plugin~'),
        box('gain', 'line~ 1.'),
        box('off', '0. 20', { maxclass: 'message' }),
        box('left', '*~'),
        box('out', 'plugout~'),
        box('peak', 'peakamp~ 20'),
      ],
      ['off gain', 'in.1 left', 'gain left.1', 'left out', 'in.1 peak'],
      'peak',
    ),
    audio: rampInput,
  });
  clock.advance(45);
  assert.deepEqual(received(host), ['float 0.5', 'float 0.5']);
  assert.equal(host.output(0.01, 1)[0][0], 0.5);
  host.press('off');
  clock.advance(100);
  assert.equal(host.output(0.1, 1)[0][0], 0);
});

test('a script and a message box can open a page in the browser', async (t) => {
  const script = "outlets = 1; function bang() { max.launchbrowser('file:///a b/'); }";
  const link = box('link', '; max launchbrowser http://127.0.0.1/', { maxclass: 'message' });
  const { host } = await device(t, { ...withScript([button('go'), link], [], 'go'), script });
  host.press('go');
  host.press('link');
  assert.deepEqual(host.launched, ['file:///a b/', 'http://127.0.0.1/']);
});

test('a script can use Live and observe it once the device is loaded', async (t) => {
  const script = `
    outlets = 1;
    var api;
    function bang() {
      api = new LiveAPI(function (args) { outlet(0, '/received', args, args instanceof Array); },
        'live_set');
      api.property = 'tempo';
    }
  `;
  const clock = manualClock();
  const live = createLive({ clock, tempo: 90 });
  const description = {
    boxes: [box('this', 'live.thisdevice'), ...HEARD],
    cords: ['this js', 'js udp'],
    script,
    live,
    clock,
    device: live.addDevice(live.song.addTrack({ name: 'mic', kind: 'audio' })),
  };
  const { host } = await device(t, description);
  clock.advance(100);
  live.song.setTempo(93.5);
  clock.advance(100);
  const tempos = received(host).filter((line) => line.startsWith('tempo'));
  assert.deepEqual(tempos, ['tempo 90 1', 'tempo 93.5 1']);
});

test('an exception in an observer fails the next call', async (t) => {
  const clock = manualClock();
  const live = createLive({ clock, tempo: 90 });
  const { host } = await device(t, {
    boxes: [box('this', 'live.thisdevice'), button('go'), ...HEARD],
    cords: ['this js', 'js udp'],
    script: `
      outlets = 1;
      var api;
      function bang() {
        api = new LiveAPI(function (args) { if (args[1] > 90) { nowhere(); } }, 'live_set');
        api.property = 'tempo';
      }
    `,
    live,
    clock,
    device: live.addDevice(live.song.addTrack({ name: 'mic', kind: 'audio' })),
  });
  clock.advance(100);
  live.song.setTempo(93.5);
  clock.advance(100);
  assert.throws(() => host.press('go'), /nowhere/);
});

test('plugsync~ reports the position of the song', async (t) => {
  const clock = manualClock();
  const live = createLive({ clock, tempo: 90, numerator: 7, denominator: 8 });
  const track = live.song.addTrack({ name: 'mic', kind: 'audio' });
  const { host } = await device(t, {
    ...withScript([button('go'), box('sync', 'plugsync~')], ['go sync'], 'sync.6'),
    live,
    device: live.addDevice(track),
    clock,
  });
  live.song.play();
  clock.advance(2000);
  host.press('go');
  assert.deepEqual(host.sent[0].values, ['float', 3]);
  live.song.stop();
});
