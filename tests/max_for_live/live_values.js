'use strict';

/** What Live refuses: the text is what it prints to the Max console. */
class LiveRefusal extends Error {}

/**
 * Refuses the present call.
 * @param {string} reason what the Max console shows after "jsliveapi: "
 * @returns {never}
 * @throws {LiveRefusal} always
 */
function refuse(reason) {
  throw new LiveRefusal(reason);
}

/**
 * @param {unknown} value
 * @returns {boolean}
 * @throws {LiveRefusal} for anything but 0, 1 and booleans
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
 * @throws {LiveRefusal} for anything but a number in the range
 */
function asFloat(value, lowest = -Infinity, highest = Infinity) {
  // A numeric string is an error on purpose: Max would send it as a symbol.
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
 * @throws {LiveRefusal} for anything but a whole number in the range
 */
function asInt(value, lowest = -Infinity, highest = Infinity) {
  const number = asFloat(value, lowest, highest);
  if (!Number.isInteger(number)) return refuse(`expected an int, got ${number}`);
  return number;
}

/**
 * @param {unknown} value
 * @returns {string}
 * @throws {LiveRefusal} for anything but a string
 */
function asText(value) {
  return typeof value === 'string'
    ? value : refuse(`expected a symbol, got ${JSON.stringify(value)}`);
}

/**
 * The keys and values of a dictionary argument. Third-party scripts that run in Live pass a plain
 * object or a Max `Dict`. Nothing says that JSON text or loose numbers work, so here they do not.
 * @param {unknown} argument
 * @param {string[]} keys those to read
 * @returns {Record<string, unknown>}
 * @throws {LiveRefusal} for anything but an object
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
