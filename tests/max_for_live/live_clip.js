'use strict';

const path = require('node:path');

const { LiveObject, observed, plain, child, CANONICAL_PARENT } = require('./live_object.js');
const { PALETTE, nearestColorIndex } = require('./live_palette.js');
const { refuse, asBool, asFloat, asInt, asText, asDictionary } = require('./live_values.js');
const { WarpMap } = require('./live_warp.js');

// docs.cycling74.com/apiref/lom/clip, warp_mode; 5 is for REX files alone, so never available here.
const WARP_MODES = [0, 1, 2, 3, 4, 6];

// Third-party: 0 dB.
const UNITY_GAIN = 0.4;

const NOTE_KEYS = ['pitch', 'start_time', 'duration', 'velocity', 'mute', 'probability',
  'velocity_deviation', 'release_velocity'];
const NOTE_DEFAULTS = { velocity: 100, mute: 0, probability: 1, velocity_deviation: 0,
  release_velocity: 64 };

class ClipView extends LiveObject {}

function refuseUnlessDict(clip, argument) {
  if (clip.live.settings.dictsOnly && typeof argument.get !== 'function') {
    refuse('expected a dictionary');
  }
}

ClipView.LOM = {
  type: 'Clip.View',
  children: { canonical_parent: CANONICAL_PARENT },
  properties: {},
  functions: {},
};

/**
 * A clip in a slot. Its bounds are beats when it is MIDI or warped, seconds when not:
 * docs.cycling74.com/apiref/lom/clip, loop_start.
 */
class Clip extends LiveObject {
  /**
   * @param {object} slot the slot that contains it
   * @param {{name: string, bounds: [number, number], looping: boolean}} settings
   */
  constructor(slot, { name, bounds, looping }) {
    super(slot.live, slot);
    this.name = name;
    // Live gives a new clip its track's colour.
    this.color_index = slot.track.color_index;
    this.looping = looping;
    this.setBounds(bounds);
    this.launch_quantization = 0;
    // The user chooses the mode of new clips.
    this.launch_mode = this.live.settings.launchMode;
    this.muted = false;
    this.view = new ClipView(this.live, this);
  }

  get track() {
    return this.parent.track;
  }

  get slot() {
    return this.parent;
  }

  get owned() {
    return [this.view];
  }

  get isPlaying() {
    return this.track.playingClip === this && this.live.song.transport.playing;
  }

  get isTriggered() {
    return this.track.triggeredClip === this;
  }

  /**
   * Third party: a track whose monitor is In does not play its own clips.
   * @returns {boolean} whether it can be heard
   */
  get isHeard() {
    return this.isPlaying && !this.muted && this.track.current_monitoring_state !== 0;
  }

  /**
   * "For looped clips: loop length in beats. Otherwise it's the distance in beats from start to
   * end marker": docs.cycling74.com/apiref/lom/clip, length.
   */
  get length() {
    const [start, end] = this.looping ? this.loop : [this.start_marker, this.end_marker];
    return end - start;
  }

  // "For looped clips: loop start. For unlooped clips: clip start": these are two separate pairs,
  // and switching `looping` restores the other pair (third-party). So values that are written to
  // loop_start and loop_end before looping is on are not the loop.
  get bounds() {
    return this.looping ? this.loop : this.region;
  }

  get loop_start() {
    return this.bounds[0];
  }

  get loop_end() {
    return this.bounds[1];
  }

  /** @returns {number} 0xrrggbb */
  get color() {
    return PALETTE[this.color_index];
  }

  setBounds([start, end]) {
    this.loop = [start, end];
    this.region = [start, end];
    this.start_marker = start;
    this.end_marker = end;
  }

  setLoopStart(value) {
    // Third-party: the texts of Live's refusals.
    if (value >= this.bounds[1]) refuse('Cannot set LoopStart behind LoopEnd');
    this.bounds[0] = value;
    if (!this.looping) this.start_marker = value;
    this.notify('loop_start', 'start_marker');
  }

  setLoopEnd(value) {
    if (value <= this.bounds[0]) refuse('Cannot set LoopEnd in front of LoopStart');
    this.bounds[1] = value;
    this.notify('loop_end', 'end_time');
  }

  setStartMarker(value) {
    // Third-party: without a loop the start marker follows loop_start, and setting it is ignored.
    if (!this.looping) return;
    // "Cannot be set behind the end marker": docs.cycling74.com/apiref/lom/clip, start_marker.
    if (value >= this.end_marker) refuse('start_marker cannot be set behind the end marker');
    this.start_marker = value;
    this.notify('start_marker');
  }

  setEndMarker(value) {
    // "Cannot be set before the start marker": docs.cycling74.com/apiref/lom/clip, end_marker.
    if (value <= this.start_marker) refuse('end_marker cannot be set before the start marker');
    this.end_marker = value;
    this.notify('end_marker', 'end_time');
  }

  setLooping(wanted) {
    if (wanted === this.looping) return;
    this.looping = wanted;
    if (!wanted) this.start_marker = this.region[0];
    this.notify('looping', 'loop_start', 'loop_end', 'start_marker', 'end_time');
  }

  /** Copies all settings of another clip of the same kind. */
  takeOver(clip) {
    const { name, color_index, looping, launch_quantization, launch_mode, muted } = clip;
    Object.assign(this, { name, color_index, looping, launch_quantization, launch_mode, muted });
    Object.assign(this, { start_marker: clip.start_marker, end_marker: clip.end_marker });
    this.loop = [...clip.loop];
    this.region = [...clip.region];
    return this;
  }

  setColorIndex(index) {
    this.color_index = index;
    this.notify('color', 'color_index');
  }

  setPlain(name, value) {
    this[name] = value;
    this.notify(name);
  }
}

/** A clip of notes; always in beats. */
class MidiClip extends Clip {
  /**
   * @param {object} slot
   * @param {{name?: string, lengthBeats: number, notes?: object[], looping?: boolean}} settings
   *   notes: `{pitch, start_time, duration, velocity?, mute?}`, times in beats
   */
  constructor(slot, { name = '', lengthBeats, notes = [], looping = true }) {
    super(slot, { name, bounds: [0, lengthBeats], looping });
    this.notes = [];
    notes.forEach((note) => this.addNote(note));
  }

  get inBeats() {
    return true;
  }

  copyTo(slot) {
    const { notes } = this;
    return new MidiClip(slot, { lengthBeats: this.length, notes }).takeOver(this);
  }

  addNote(note) {
    const known = Object.fromEntries(
      NOTE_KEYS.filter((key) => note[key] !== undefined).map((key) => [key, Number(note[key])]),
    );
    this.notes.push({ note_id: this.live.nextNoteId(), ...NOTE_DEFAULTS, ...known });
  }

  /**
   * "notes that have their start times in the given area": docs.cycling74.com/apiref/lom/clip.
   * @returns {string} the dictionary as JSON text, as `call` returns it in `js` (third-party)
   */
  notesAsJson(fromPitch, pitchSpan, fromTimeBeats, timeSpanBeats) {
    const within = (note) => note.pitch >= fromPitch && note.pitch < fromPitch + pitchSpan
      && note.start_time >= fromTimeBeats && note.start_time < fromTimeBeats + timeSpanBeats;
    return JSON.stringify({ notes: this.notes.filter(within) });
  }
}

/** A clip that plays an audio file. */
class AudioClip extends Clip {
  /**
   * @param {object} slot
   * @param {{path: string, file: {frames: number, sampleRate: number}, name?: string,
   *   warping?: boolean, looping?: boolean}} settings sampleRate in Hz
   */
  constructor(slot, { path: filePath, file, name, warping, looping }) {
    // Live names a clip after its file.
    super(slot, {
      name: name === undefined ? path.parse(filePath).name : name,
      bounds: [0, file.frames / file.sampleRate],
      looping: false,
    });
    this.file_path = filePath;
    this.file = file;
    this.warp_mode = 0;
    this.gain = UNITY_GAIN;
    this.warping = false;
    this.warpMap = null;
    if (warping) this.startWarped(this.live.settings.guessTempo(this));
    if (looping && this.warping) this.looping = true;
  }

  /** @returns {import('./live_warp.js').WarpMarker[]} the hidden one last; empty if not warped */
  get warp_markers() {
    return this.warping ? this.warpMap.markers : [];
  }

  get durationSeconds() {
    return this.file.frames / this.file.sampleRate;
  }

  get inBeats() {
    return this.warping;
  }

  /**
   * Warps the clip as Live's analysis does: with a guessed tempo or guessed markers, and the bounds
   * in beats that follow from them.
   * @param {number | import('./live_warp.js').WarpMarker[]} guess bpm, or the visible markers
   */
  startWarped(guess) {
    const markers = Array.isArray(guess) ? guess : [{ beat_time: 0, sample_time: 0 }];
    const bpm = Array.isArray(guess) ? this.live.song.transport.tempo : guess;
    this.warpMap = new WarpMap(markers, bpm);
    this.warping = true;
    this.setBounds([this.warpMap.beatAt(0), this.warpMap.beatAt(this.durationSeconds)]);
  }

  copyTo(slot) {
    const copy = new AudioClip(slot, { path: this.file_path, file: this.file });
    copy.warping = this.warping;
    copy.warpMap = this.warping ? new WarpMap(this.warpMap.visible, this.warpMap.tailBpm) : null;
    return Object.assign(copy.takeOver(this), { gain: this.gain, warp_mode: this.warp_mode });
  }

  /**
   * "Internally, Live will defer the setting of this property":
   * docs.cycling74.com/apiref/lom/clip, warping. Until a later task it has its old value.
   */
  deferWarping(wanted) {
    this.live.later(() => {
      if (!this.alive || wanted === this.warping) return;
      if (wanted) this.warpOn();
      else this.warpOff();
      this.notify('warping', 'looping', 'loop_start', 'loop_end', 'start_marker', 'end_time',
        'warp_markers');
    });
  }

  warpOn() {
    // Third-party: switching off and on deletes the markers, so Live guesses again.
    const { start_marker: startSeconds, end_marker: stale, loop, region } = this;
    this.startWarped(this.live.settings.guessTempo(this));
    const inBeats = (bounds) => bounds.map((seconds) => this.warpMap.beatAt(seconds));
    this.loop = inBeats(loop);
    this.region = inBeats(region);
    this.start_marker = this.warpMap.beatAt(startSeconds);
    // Third-party: the end marker keeps a stale value when warp is switched off. Its value after
    // warp is switched on is not documented; the model keeps the number, which then means beats.
    this.end_marker = stale;
  }

  warpOff() {
    // Third party: warp off switches looping off and keeps the end marker's old number.
    const inSeconds = (bounds) => bounds.map((beats) => this.warpMap.sampleTimeAt(beats));
    this.loop = inSeconds(this.loop);
    this.region = inSeconds(this.region);
    this.looping = false;
    this.start_marker = this.region[0];
    this.warping = false;
    this.warpMap = null;
  }

  /** @returns {WarpMap} @throws {LiveRefusal} when the clip is not warped */
  warpedMap() {
    // "Only available for warped Audio Clips": docs.cycling74.com/apiref/lom/clip.
    if (!this.warping) return refuse('warp markers are only available for warped audio clips');
    return this.warpMap;
  }

  addWarpMarker(argument) {
    const map = this.warpedMap();
    refuseUnlessDict(this, argument);
    const given = asDictionary(argument, ['beat_time', 'sample_time']);
    if (given.beat_time === undefined && given.sample_time === undefined) {
      refuse('a warp marker needs a beat_time');
    }
    const beats = given.beat_time === undefined
      ? map.beatAt(asFloat(given.sample_time)) : asFloat(given.beat_time);
    const seconds = given.sample_time === undefined
      ? map.sampleTimeAt(beats) : asFloat(given.sample_time);
    // "The sample time must lie within the range [0, s], where s is the sample's length". Seconds,
    // as the same page says of warp_markers, and as third parties measured.
    if (seconds < 0 || seconds > this.durationSeconds) {
      refuse(`sample_time ${seconds} s is outside the sample's ${this.durationSeconds} s`);
    }
    this.changeWarp(() => map.add({ beat_time: beats, sample_time: seconds }));
  }

  changeWarp(change) {
    // The bounds keep their beats, so the loop keeps its length; the part of the file at these
    // beats changes.
    change();
    this.notify('warp_markers');
  }
}

/** Restricts a property to audio clips ("Available for audio clips only", docs as above). */
function audioOnly(property) {
  const check = (clip) => {
    if (!(clip instanceof AudioClip)) refuse('only available for audio clips');
  };
  const set = property.set && ((clip, value) => {
    check(clip);
    property.set(clip, value);
  });
  const get = (clip) => {
    check(clip);
    return property.get(clip);
  };
  return { ...property, set, get };
}

function audioCall(call) {
  return (clip, ...parameters) => {
    if (!(clip instanceof AudioClip)) refuse('only available for audio clips');
    return call(clip, ...parameters);
  };
}

function midiCall(call) {
  return (clip, ...parameters) => {
    if (!(clip instanceof MidiClip)) refuse('only available for MIDI clips');
    return call(clip, ...parameters);
  };
}

function notesInArea(clip, ...parameters) {
  const keys = ['from_pitch', 'pitch_span', 'from_time', 'time_span'];
  // "It is possible to optionally provide the arguments in the form of a single dictionary".
  const given = parameters.length === 1 ? asDictionary(parameters[0], keys)
    : Object.fromEntries(keys.map((key, place) => [key, parameters[place]]));
  return clip.notesAsJson(asInt(given.from_pitch, 0, 127), asInt(given.pitch_span, 1, 128),
    asFloat(given.from_time), asFloat(given.time_span, Number.MIN_VALUE));
}

/**
 * docs.cycling74.com/apiref/lom/clip, add_new_notes: a dictionary whose `notes` have at least
 * pitch, start_time and duration. With one wrong note the model adds none; Live is not documented.
 */
function addNotes(clip, dictionary) {
  refuseUnlessDict(clip, dictionary);
  const { notes } = asDictionary(dictionary, ['notes']);
  if (!Array.isArray(notes)) return refuse('add_new_notes needs a list of notes');
  const known = notes.map((note) => asDictionary(note, NOTE_KEYS));
  known.forEach((note) => {
    asInt(note.pitch, 0, 127);
    asFloat(note.start_time);
    asFloat(note.duration, Number.MIN_VALUE);
  });
  known.forEach((note) => clip.addNote(note));
  return clip.notes.slice(clip.notes.length - known.length).map((note) => note.note_id);
}

function setLooping(clip, value) {
  const wanted = asBool(value);
  // "Unwarped audio cannot be looped": docs.cycling74.com/apiref/lom/clip, looping.
  if (wanted && !clip.inBeats) refuse('unwarped audio cannot be looped');
  clip.setLooping(wanted);
}

function setWarpMode(clip, value) {
  const mode = asInt(value);
  if (!WARP_MODES.includes(mode)) refuse(`warp mode ${mode} is not available for this clip`);
  clip.setPlain('warp_mode', mode);
}

const setNamed = (name, coerce) => (clip, value) => clip.setPlain(name, coerce(value));

Clip.LOM = {
  type: 'Clip',
  children: { canonical_parent: CANONICAL_PARENT, view: child('Clip.View', (clip) => clip.view) },
  // Types and access as in docs.cycling74.com/apiref/lom/clip: properties that are not documented
  // as observable (is_playing, is_triggered, length) are not observable here.
  properties: {
    name: observed('symbol', (clip) => clip.name, setNamed('name', asText)),
    color: observed('int', (clip) => clip.color,
      (clip, value) => clip.setColorIndex(nearestColorIndex(asInt(value, 0, 0xffffff)))),
    color_index: observed('int', (clip) => clip.color_index,
      (clip, value) => clip.setColorIndex(asInt(value, 0, PALETTE.length - 1))),
    muted: observed('bool', (clip) => clip.muted, setNamed('muted', asBool)),
    is_audio_clip: plain('bool', (clip) => clip instanceof AudioClip),
    is_midi_clip: plain('bool', (clip) => clip instanceof MidiClip),
    is_arrangement_clip: plain('bool', () => false),
    is_session_clip: plain('bool', () => true),
    is_playing: plain('bool', (clip) => clip.isPlaying,
      (clip, value) => (asBool(value) ? clip.track.launch(clip) : clip.track.stopClip(clip))),
    is_triggered: plain('bool', (clip) => clip.isTriggered),
    is_recording: observed('bool', () => false),
    length: plain('float', (clip) => clip.length),
    loop_start: observed('float', (clip) => clip.loop_start,
      (clip, value) => clip.setLoopStart(asFloat(value))),
    loop_end: observed('float', (clip) => clip.loop_end,
      (clip, value) => clip.setLoopEnd(asFloat(value))),
    looping: observed('bool', (clip) => clip.looping, setLooping),
    start_marker: observed('float', (clip) => clip.start_marker,
      (clip, value) => clip.setStartMarker(asFloat(value))),
    end_marker: observed('float', (clip) => clip.end_marker,
      (clip, value) => clip.setEndMarker(asFloat(value))),
    end_time: observed('float', (clip) => (clip.looping ? clip.loop[1] : clip.end_marker)),
    launch_quantization: observed('int', (clip) => clip.launch_quantization,
      setNamed('launch_quantization', (value) => asInt(value, 0, 14))),
    launch_mode: observed('int', (clip) => clip.launch_mode,
      setNamed('launch_mode', (value) => asInt(value, 0, 3))),
    signature_numerator: observed('int', (clip) => clip.live.song.transport.numerator),
    signature_denominator: observed('int', (clip) => clip.live.song.transport.denominator),
    file_path: audioOnly(plain('symbol', (clip) => clip.file_path)),
    sample_length: audioOnly(plain('int', (clip) => clip.file.frames)),
    sample_rate: audioOnly(plain('float', (clip) => clip.file.sampleRate)),
    gain: audioOnly(observed('float', (clip) => clip.gain,
      setNamed('gain', (value) => asFloat(value, 0, 1)))),
    warping: audioOnly(observed('bool', (clip) => clip.warping,
      (clip, value) => clip.deferWarping(asBool(value)))),
    warp_mode: audioOnly(observed('int', (clip) => clip.warp_mode, setWarpMode)),
    available_warp_modes: audioOnly(plain('list', () => WARP_MODES)),
    // JSON text in a list of one, as `get` returns it in `js` (third-party). Its content while the
    // clip is not warped is not documented; here it is empty, which is stricter.
    warp_markers: audioOnly(observed('dict',
      ({ warp_markers }) => JSON.stringify({ warp_markers }))),
  },
  functions: {
    fire: (clip) => clip.track.launch(clip),
    // "only if this clip is actually playing": docs.cycling74.com/apiref/lom/clip, stop.
    stop: (clip) => clip.track.stopClip(clip),
    add_new_notes: midiCall(addNotes),
    get_notes_extended: midiCall(notesInArea),
    get_all_notes_extended: midiCall((clip) => JSON.stringify({ notes: clip.notes })),
    add_warp_marker: audioCall((clip, marker) => clip.addWarpMarker(marker)),
    move_warp_marker: audioCall((clip, beats, distanceBeats) => {
      const map = clip.warpedMap();
      clip.changeWarp(() => map.move(asFloat(beats), asFloat(distanceBeats)));
    }),
    remove_warp_marker: audioCall((clip, beats) => {
      const map = clip.warpedMap();
      clip.changeWarp(() => map.remove(asFloat(beats)));
    }),
  },
};

module.exports = { Clip, MidiClip, AudioClip };
