'use strict';

/**
 * The JavaScript of Max's js: ES5. Node has more; newer functions are removed from the script's
 * context, so that using them fails here as it does in Max.
 */

const { execFileSync } = require('node:child_process');

const words = (text) => text.trim().split(/\s+/);

/** Names of the members of each of these in ES5. */
const ES5 = {
  Array: {
    own: ['isArray'],
    prototype: words(`concat every filter forEach indexOf join lastIndexOf map pop push reduce
      reduceRight reverse shift slice some sort splice toLocaleString toString unshift`),
  },
  Math: {
    own: words(`E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2 abs acos asin atan atan2 ceil cos exp floor
      log max min pow random round sin sqrt tan`),
  },
  Number: { own: words('MAX_VALUE MIN_VALUE NEGATIVE_INFINITY NaN POSITIVE_INFINITY') },
  Object: {
    own: words(`create defineProperties defineProperty freeze getOwnPropertyDescriptor
      getOwnPropertyNames getPrototypeOf isExtensible isFrozen isSealed keys preventExtensions
      seal`),
  },
  String: {
    own: ['fromCharCode'],
    prototype: words(`charAt charCodeAt concat indexOf lastIndexOf localeCompare match replace
      search slice split substr substring toLocaleLowerCase toLocaleString toLocaleUpperCase
      toLowerCase toString toUpperCase trim valueOf`),
  },
};

/** Names in the global object that begin with a capital, and Max's own. */
const ES5_GLOBALS = words(`Array Boolean Date Error EvalError Function Infinity JSON Math NaN Number
  Object RangeError ReferenceError RegExp String SyntaxError TypeError URIError
  Dict File LiveAPI Task`);

/** Node contains a parser for which the edition can be set. */
const PARSE = `
  const acorn = require('internal/deps/acorn/acorn/dist/acorn');
  const source = require('fs').readFileSync(process.argv[1], 'utf8');
  try {
    acorn.parse(source, { ecmaVersion: 5 });
  } catch (error) {
    process.stdout.write(error.message);
  }
`;

/**
 * @param {string} path a script
 * @throws {SyntaxError} if it is not ES5
 */
function assertEs5Syntax(path) {
  const options = ['--expose-internals', '--no-warnings', '-e', PARSE, path];
  const refused = execFileSync(process.execPath, options, { encoding: 'utf8' });
  if (refused !== '') {
    throw new SyntaxError(`${path}: ${refused}`);
  }
}

module.exports = { ES5, ES5_GLOBALS, assertEs5Syntax };
