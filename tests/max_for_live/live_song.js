'use strict';

const { AudioClip, MidiClip } = require('./live_clip.js');
const {
  LiveObject, observed, plain, child, children, CANONICAL_PARENT,
} = require('./live_object.js');
const { ClipSlot, Track } = require('./live_track.js');
const { Transport } = require('./live_transport.js');
const { refuse, asBool, asFloat, asInt, asText } = require('./live_values.js');
const { WarpMap } = require('./live_warp.js');

// docs.cycling74.com/apiref/lom/song, signature_denominator.
const DENOMINATORS = [1, 2, 4, 8, 16];

/** A row of the Session View. */
class Scene extends LiveObject {
  constructor(song) {
    super(song.live, song);
    this.name = '';
  }
}

/** The selection and the view in Live. */
class SongView extends LiveObject {
  constructor(song) {
    super(song.live, song);
    this.detail_clip = null;
    this.selected_track = null;
    this.selected_scene = null;
  }

  select(name, object) {
    this[name] = object;
    this.notify(name);
  }

  forgetClip(clip) {
    if (this.detail_clip === clip) this.select('detail_clip', null);
  }

  forgetTrack(track) {
    if (this.selected_track === track) this.select('selected_track', this.parent.tracks[0]);
  }
}

/**
 * The open Live Set. Its methods are the actions of a user in Live; a script's calls go through
 * `LOM` below.
 */
class Song extends LiveObject {
  /** @param {object} live @param {object} settings see `createLive` */
  constructor(live, settings) {
    super(live, null);
    this.transport = new Transport(settings.clock, settings,
      () => this.notify('current_song_time'));
    this.file_path = settings.filePath;
    this.root_note = 0;
    this.scale_name = 'Major';
    this.scale_mode = false;
    // One bar: docs.cycling74.com/apiref/lom/song, clip_trigger_quantization.
    this.clip_trigger_quantization = 4;
    this.tracks = [];
    this.return_tracks = [];
    this.scenes = [];
    this.view = new SongView(this);
    this.master_track = new Track(this, { name: 'Main', kind: 'master' });
    for (let made = 0; made < settings.scenes; made += 1) this.scenes.push(new Scene(this));
    [this.view.selected_scene] = this.scenes;
  }

  get tempo() {
    return this.transport.tempo;
  }

  get isPlaying() {
    return this.transport.playing;
  }

  /** @returns {number} the song's time in beats */
  get beats() {
    return this.transport.beats;
  }

  /**
   * @param {{name?: string, kind?: string, frozen?: boolean, group?: Track, index?: number}}
   *   settings as for Track; index: its index among tracks of its kind, last by default
   * @returns {Track}
   */
  addTrack(settings = {}) {
    const track = new Track(this, settings);
    const list = track.kind === 'return' ? 'return_tracks' : 'tracks';
    const { index = this[list].length } = settings;
    this[list].splice(index, 0, track);
    if (!this.view.selected_track) this.view.selected_track = track;
    this.changed(list);
    return track;
  }

  insertTrack(index, settings = {}) {
    return this.addTrack({ ...settings, index });
  }

  moveTrack(track, index) {
    this.tracks.splice(this.tracks.indexOf(track), 1);
    this.tracks.splice(index, 0, track);
    this.changed('tracks');
  }

  deleteTrack(track) {
    // "at least one Audio or MIDI track will be always present":
    // docs.cycling74.com/apiref/lom/track.
    if (this.tracks.length === 1) refuse('the last track cannot be deleted');
    track.slots.forEach((slot) => slot.clip && slot.deleteClip());
    this.tracks.splice(this.tracks.indexOf(track), 1);
    track.die();
    this.view.forgetTrack(track);
    this.changed('tracks');
  }

  /** @returns {Scene} */
  addScene(index = this.scenes.length) {
    const scene = new Scene(this);
    this.scenes.splice(index, 0, scene);
    this.tracks.forEach((track) => {
      track.slots.splice(index, 0, new ClipSlot(track));
      track.notify('clip_slots');
    });
    this.changed('scenes');
    return scene;
  }

  deleteScene(index) {
    if (this.scenes.length === 1) refuse('the last scene cannot be deleted');
    const [scene] = this.scenes.splice(index, 1);
    this.tracks.forEach((track) => {
      if (track.slots[index].clip) track.slots[index].deleteClip();
      const [slot] = track.slots.splice(index, 1);
      slot.die();
      track.notify('clip_slots');
    });
    scene.die();
    if (this.view.selected_scene === scene) this.view.select('selected_scene', this.scenes[0]);
    this.changed('scenes');
  }

  changed(list) {
    this.live.treeChanged();
    this.notify(list);
  }

  play() {
    this.start();
  }

  start() {
    if (this.transport.playing) return;
    this.transport.start();
    this.notify('is_playing');
  }

  stop() {
    if (!this.transport.playing) return;
    this.transport.stop();
    this.notify('is_playing', 'current_song_time');
  }

  seek(beats) {
    this.transport.seek(beats);
    this.notify('current_song_time');
  }

  setTempo(bpm) {
    this.transport.setTempo(bpm);
    this.notify('tempo');
  }

  setTimeSignature(numerator, denominator) {
    this.transport.setMeter(numerator, denominator);
    this.notify('signature_numerator', 'signature_denominator');
  }

  /** @param {number} rootNote 0 is C @param {string} scaleName @param {boolean} scaleMode on */
  setScale(rootNote, scaleName, scaleMode = true) {
    Object.assign(this, { root_note: rootNote, scale_name: scaleName, scale_mode: scaleMode });
    this.notify('root_note', 'scale_name', 'scale_mode');
  }

  /** Shows a clip in the clip view, like a click on the clip. */
  selectClip(clip) {
    this.view.select('detail_clip', clip);
  }

  /**
   * @param {Track} track
   * @param {number} slotIndex
   * @param {{path: string, name?: string, warping?: boolean, looping?: boolean,
   *   warpMarkers?: import('./live_warp.js').WarpMarker[], loopStart?: number, loopEnd?: number,
   *   startMarker?: number, endMarker?: number, colorIndex?: number}} settings
   *   warpMarkers: the visible ones; loopStart ... endMarker: beats when warped, else seconds
   * @returns {AudioClip}
   */
  addAudioClip(track, slotIndex, settings) {
    const slot = this.slotFor('audio', track, slotIndex);
    const { readWav, guessTempo } = this.live.settings;
    const clip = new AudioClip(slot, { ...settings, file: readWav(settings.path), warping: false });
    if (settings.warping) clip.startWarped(settings.warpMarkers || guessTempo(clip));
    return this.standIn(slot, clip, settings);
  }

  /**
   * @param {Track} track
   * @param {number} slotIndex
   * @param {{name?: string, lengthBeats: number, notes?: object[], looping?: boolean,
   *   loopStart?: number, loopEnd?: number, startMarker?: number, endMarker?: number}} settings
   * @returns {MidiClip}
   */
  addMidiClip(track, slotIndex, settings) {
    const slot = this.slotFor('midi', track, slotIndex);
    return this.standIn(slot, new MidiClip(slot, settings), settings);
  }

  /** The slot into which the user puts a clip; a clip in it is replaced, as in Live. */
  slotFor(kind, track, slotIndex) {
    const slot = track.slots[slotIndex];
    if (track.kind !== kind || !slot) {
      throw new Error(`no slot ${slotIndex} for ${kind} on the ${track.kind} track ${track.name}`);
    }
    if (slot.clip) slot.deleteClip();
    return slot;
  }

  standIn(slot, clip, { looping = clip.looping, loopStart, loopEnd, startMarker, endMarker,
    colorIndex = clip.color_index }) {
    const [start, end] = clip.loop;
    const bounds = [loopStart === undefined ? start : loopStart,
      loopEnd === undefined ? end : loopEnd];
    clip.setBounds(bounds);
    if (startMarker !== undefined) clip.start_marker = startMarker;
    if (endMarker !== undefined) clip.end_marker = endMarker;
    Object.assign(clip, { looping, color_index: colorIndex });
    slot.setClip(clip);
    return clip;
  }

  /**
   * Drags a file into the Arrangement.
   * @param {Track} track
   * @param {{path: string}} settings as of addAudioClip
   * @returns {AudioClip}
   */
  arrangeAudioClip(track, settings) {
    const slot = new ClipSlot(track);
    const { readWav } = this.live.settings;
    slot.clip = new AudioClip(slot, { ...settings, file: readWav(settings.path) });
    track.arranged.push(slot);
    return slot.clip;
  }

  /** Drags a clip to another slot. It keeps its identity; Live's behaviour is not documented. */
  moveClip(clip, track, slotIndex) {
    const from = clip.slot;
    const to = this.slotFor(from.track.kind, track, slotIndex);
    clip.track.forgetClip(clip);
    from.clip = null;
    to.setClip(clip);
    from.notify('has_clip');
  }

  deleteClip(clip) {
    clip.slot.deleteClip();
  }

  /** @returns {string} bars.beats.sixteenths.ticks, counted from 1.1.1.0, padded (third-party) */
  beatsSongTime() {
    const { transport } = this;
    const beatLength = 4 / transport.denominator;
    const beats = Math.max(0, transport.beats) + 1e-9;
    const bar = Math.floor(beats / transport.beatsPerBar);
    const inBar = beats - bar * transport.beatsPerBar;
    const beat = Math.floor(inBar / beatLength);
    const inBeat = inBar - beat * beatLength;
    const sixteenth = Math.floor(inBeat * 4);
    const ticks = Math.floor((inBeat * 4 - sixteenth) * 60);
    return [[bar + 1, 3], [beat + 1, 2], [sixteenth + 1, 2], [ticks, 3]]
      .map(([value, digits]) => String(value).padStart(digits, '0')).join('.');
  }
}

/** The index for a new object: "If the index is -1, at the end". */
function placeForNew(index, count) {
  const place = index === undefined ? -1 : asInt(index, -1, count);
  return place === -1 ? count : place;
}

function createTrack(song, kind, index) {
  const place = placeForNew(index, song.tracks.length);
  const label = kind === 'midi' ? 'MIDI' : 'Audio';
  return song.addTrack({ kind, index: place, name: `${place + 1}-${label}` });
}

function at(list, index) {
  const object = list[asInt(index)];
  return object || refuse(`index ${index} is out of range`);
}

function setDenominator(song, value) {
  const denominator = asInt(value);
  if (!DENOMINATORS.includes(denominator)) refuse(`${denominator} is not a denominator`);
  song.setTimeSignature(song.transport.numerator, denominator);
}

const setNamed = (name, coerce) => (object, value) => {
  object[name] = coerce(value);
  object.notify(name);
};

function selectable(type, name) {
  const set = (view, object) => {
    if (!object || object.lom.type !== type) refuse(`${name} must be a ${type}`);
    view.select(name, object);
  };
  return child(type, (view) => view[name], { observe: true, set });
}

Scene.LOM = {
  type: 'Scene',
  children: { canonical_parent: CANONICAL_PARENT },
  properties: { name: observed('symbol', (scene) => scene.name, setNamed('name', asText)) },
  functions: {},
};

// docs.cycling74.com/apiref/lom/song_view.
SongView.LOM = {
  type: 'Song.View',
  children: {
    canonical_parent: CANONICAL_PARENT,
    detail_clip: selectable('Clip', 'detail_clip'),
    selected_track: selectable('Track', 'selected_track'),
    selected_scene: selectable('Scene', 'selected_scene'),
  },
  properties: {},
  functions: {},
};

// docs.cycling74.com/apiref/lom/song.
Song.LOM = {
  type: 'Song',
  children: {
    canonical_parent: CANONICAL_PARENT,
    tracks: children('Track', (song) => song.tracks),
    return_tracks: children('Track', (song) => song.return_tracks),
    visible_tracks: children('Track', (song) => song.tracks),
    scenes: children('Scene', (song) => song.scenes),
    master_track: child('Track', (song) => song.master_track),
    view: child('Song.View', (song) => song.view),
  },
  properties: {
    // "Current tempo of the Live Set in BPM, 20.0 ... 999.0".
    tempo: observed('float', (song) => song.transport.tempo,
      (song, value) => song.setTempo(asFloat(value, 20, 999))),
    signature_numerator: observed('int', (song) => song.transport.numerator,
      (song, value) => song.setTimeSignature(asInt(value, 1, 99), song.transport.denominator)),
    signature_denominator: observed('int', (song) => song.transport.denominator, setDenominator),
    is_playing: observed('bool', (song) => song.transport.playing,
      (song, value) => (asBool(value) ? song.start() : song.stop())),
    current_song_time: observed('float', (song) => song.transport.beats,
      (song, value) => song.seek(asFloat(value, 0))),
    root_note: observed('int', (song) => song.root_note,
      setNamed('root_note', (value) => asInt(value, 0, 11))),
    scale_name: observed('symbol', (song) => song.scale_name, setNamed('scale_name', asText)),
    scale_mode: observed('bool', (song) => song.scale_mode, setNamed('scale_mode', asBool)),
    // Empty until the set has been saved.
    file_path: plain('symbol', (song) => song.file_path),
    clip_trigger_quantization: observed('int', (song) => song.clip_trigger_quantization,
      setNamed('clip_trigger_quantization', (value) => asInt(value, 0, 13))),
  },
  functions: {
    start_playing: (song) => {
      song.seek(0);
      song.start();
    },
    continue_playing: (song) => song.start(),
    stop_playing: (song) => song.stop(),
    stop_all_clips: (song) => song.tracks.forEach((track) => track.stopClip(track.playingClip)),
    create_scene: (song, index) => song.addScene(placeForNew(index, song.scenes.length)),
    delete_scene: (song, index) => {
      at(song.scenes, index);
      song.deleteScene(index);
    },
    create_audio_track: (song, index) => createTrack(song, 'audio', index),
    create_midi_track: (song, index) => createTrack(song, 'midi', index),
    create_return_track: (song) => song.addTrack({ kind: 'return', name: 'Return' }),
    delete_track: (song, index) => song.deleteTrack(at(song.tracks, index)),
    get_current_beats_song_time: (song) => song.beatsSongTime(),
  },
};

module.exports = { Song, Scene, SongView };
