'use strict';

/**
 * Messages in Max's cords, which consist of atoms, and their text in a box.
 *
 * A whole number is a JavaScript number, a symbol is a string, and a float is a `Float`: Max
 * distinguishes 3 from 3.0, JavaScript does not.
 *
 * @typedef {number | string | Float} Atom
 * @typedef {{name: string, args: Atom[]}} Message
 */

class Float {
  /** @param {number} value */
  constructor(value) {
    this.value = value;
  }
}

const isNumber = (atom) => typeof atom !== 'string';
const plain = (atom) => (atom instanceof Float ? atom.value : atom);

/** @type {(name: string, ...args: Atom[]) => Message} */
const message = (name, ...args) => ({ name, args });

/**
 * The message of a list of atoms: its name is the first symbol, or the type of the first number.
 *
 * @param {Atom[]} atoms
 * @returns {Message}
 */
function fromAtoms(atoms) {
  if (atoms.length === 0) {
    return message('bang');
  }
  if (!isNumber(atoms[0])) {
    return message(atoms[0], ...atoms.slice(1));
  }
  if (atoms.length > 1) {
    return message('list', ...atoms);
  }
  return message(atoms[0] instanceof Float ? 'float' : 'int', atoms[0]);
}

/**
 * The atoms of a message, as they would be typed. A `bang` is its own name.
 *
 * @param {Message} message
 * @returns {Atom[]}
 */
function toAtoms({ name, args }) {
  return ['int', 'float', 'list'].includes(name) ? args : [name, ...args];
}

/** @param {Atom[]} atoms */
const toText = (atoms) => atoms.map((atom) => String(plain(atom))).join(' ');

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

/**
 * The atom of one word of a box's text.
 *
 * @param {string} word
 * @returns {Atom}
 */
function parseWord(word) {
  if (!NUMBER.test(word)) {
    return word;
  }
  return /[.e]/i.test(word) ? new Float(Number(word)) : Number(word);
}

/**
 * A box's text as words, without quotes and backslashes.
 *
 * @param {string} text
 * @returns {Array<{word: string, quoted: boolean}>} an unquoted `,` or `;` is a word of its own
 */
function splitText(text) {
  const words = [];
  const pattern = /"((?:\\.|[^"\\])*)"|((?:\\.|[^\s,;\\])+)|([,;])/g;
  for (const [, quoted, bare, separator] of text.matchAll(pattern)) {
    const word = quoted ?? bare ?? separator;
    words.push({
      word: word.replace(/\\(.)/g, '$1'),
      quoted: quoted !== undefined || (bare !== undefined && /\\[,;$]/.test(bare)),
    });
  }
  return words;
}

/**
 * The text of an object's box, as name, arguments and attributes.
 *
 * @param {string} text such as `pattr prompt @thru 0`
 * @returns {{name: string, args: Atom[], attributes: Record<string, Atom[]>}}
 */
function parseBox(text) {
  const [{ word: name } = { word: '' }, ...rest] = splitText(text);
  const args = [];
  const attributes = {};
  let into = args;
  for (const { word, quoted } of rest) {
    if (word.startsWith('@') && !quoted) {
      into = attributes[word.slice(1)] = [];
    } else {
      into.push(quoted ? word : parseWord(word));
    }
  }
  return { name, args, attributes };
}

module.exports = {
  Float,
  fromAtoms,
  isNumber,
  message,
  parseBox,
  parseWord,
  plain,
  splitText,
  toAtoms,
  toText,
};
