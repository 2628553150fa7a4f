'use strict';

/** A refusal of Live; its text is the line in the Max console. */
class LiveRefusal extends Error {}

/**
 * Refuses the current call.
 * @param {string} reason the text in the Max console after "jsliveapi: "
 * @returns {never}
 * @throws {LiveRefusal} always
 */
function refuse(reason) {
  throw new LiveRefusal(reason);
}

/**
 * @param {unknown} value
 * @returns {boolean}
 * @throws {LiveRefusal} for values other than 0, 1 and booleans
 */
function asBool(value) {
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  return refuse(`expected 0 or 1, got ${JSON.stringify(value)}`);
}

/**
 * @param {unknown} value
 * @param {number} lowest inclusive
 * @param {number} highest inclusive
 * @returns {number}
 * @throws {LiveRefusal} for values other than a number in the range
 */
function asFloat(value, lowest = -Infinity, highest = Infinity) {
  // A numeric string is refused: Max would send it as a symbol.
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return refuse(`expected a number, got ${JSON.stringify(value)}`);
  }
  if (value < lowest || value > highest) {
    return refuse(`${value} is outside ${lowest} ... ${highest}`);
  }
  return value;
}

/**
 * @param {unknown} value
 * @param {number} lowest inclusive
 * @param {number} highest inclusive
 * @returns {number}
 * @throws {LiveRefusal} for values other than a whole number in the range
 */
function asInt(value, lowest = -Infinity, highest = Infinity) {
  const number = asFloat(value, lowest, highest);
  if (!Number.isInteger(number)) return refuse(`expected an int, got ${number}`);
  return number;
}

/**
 * @param {unknown} value
 * @returns {string}
 * @throws {LiveRefusal} for values other than a string
 */
function asText(value) {
  return typeof value === 'string'
    ? value : refuse(`expected a symbol, got ${JSON.stringify(value)}`);
}

/**
 * The keys and values of a dictionary argument. Third-party scripts that run in Live pass a plain
 * object or a Max `Dict`. JSON text or plain numbers are not documented, so the model refuses them.
 * @param {unknown} argument
 * @param {string[]} keys the keys to read
 * @returns {Record<string, unknown>}
 * @throws {LiveRefusal} for values other than an object
 */
function asDictionary(argument, keys) {
  if (argument === null || typeof argument !== 'object' || Array.isArray(argument)) {
    return refuse(`expected a dictionary, got ${JSON.stringify(argument)}`);
  }
  const isDict = typeof argument.get === 'function';
  const entries = keys.map((key) => [key, isDict ? argument.get(key) : argument[key]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== null));
}

module.exports = { LiveRefusal, refuse, asBool, asFloat, asInt, asText, asDictionary };
