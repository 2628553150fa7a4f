// The device's script: between the daemon (OSC), the musician (the patcher's controls) and Live
// (LiveAPI). ECMAScript 5, for Max's js object: Live 12.0.5 has no other that may use LiveAPI.
//
// What Live holds is asked of Live each time it is needed. Kept here are only the daemon's side of
// things (the connection, requests that are under way, clips that it has made), a recording or a
// check that is going on, the values of the device's own controls, and of its menus which track is
// meant.
//
// In this order: what comes from the patcher, the connection, presets, the song's clock, where the
// melody comes from, requests, placing a clip, tracks and slots, variations, what is shown, how
// LiveAPI is read, Check, and last the tables of buttons and events.
//
// From the patcher: bang (Live is ready), press NAME, control NAME VALUE, choose MENU INDEX,
// remember NAME TEXT, port NUMBER, song_beats BEATS, peak LEVEL, written, and OSC; in the second
// inlet, what stands in the prompt's field.

autowatch = 0;
inlets = 2;
outlets = 3;

var PROMPT_INLET = 1;
var OSC = 0;
var SHOW = 1;
var SOUND = 2;

// Connection. A port that another device of the set listens on is passed over: see `search`.
var FIRST_PORT = 7772;
var PORTS = 32;
var HELLO_MS = 1000;
var KEEP_MS = 3000;
// Two answers that are missing tell of a daemon that is gone.
var SILENT_MS = 7000;
var LIVE_MS = 500;
// How often a request is asked for clips of which none was heard.
var REPEATS = 3;

// Before each text that a pattr keeps: alone, "90" would be a number, and "init" an order.
var KEPT = "=";
// Longer than between two keys.
var KEEP_TEXT_MS = 1000;
var TRACK_NAME = "Melody Bridge";
var AUTOMATIC = "Automatic";
var NO_PRESET = "No preset";
var LETTERS = ["a", "b", "c", "d"];
// Of clips, and of the buttons A to D alike. Live takes the nearest of its own colours.
var COLORS = [0xff9a3c, 0x4fc3f7, 0x9ccc65, 0xba8cff];
var LIGHTS = {
    off: [0.35, 0.35, 0.35],
    wait: [1, 0.7, 0.2],
    on: [0.3, 0.85, 0.4],
    bad: [1, 0.3, 0.25]
};

var NOTES = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];
// Of Live's scales, those that the daemon has a word for.
var MODES = {
    Major: "major", Minor: "minor", Dorian: "dorian", Mixolydian: "mixolydian",
    Lydian: "lydian", Phrygian: "phrygian", Locrian: "locrian"
};

var NO_AUDIO = "takes no audio";
var MONITOR_IN = 0;
var MONITOR_AUTO = 1;
var WARP_BEATS = 0;
var WARP_COMPLEX = 4;
var EXACT_BEATS = 1e-6;
var SHAPE_TRIES = 20;
var SHAPE_MS = 50;
// For ten seconds a clip that is exact is looked at again.
var LOOKS = 40;
var LOOK_MS = 250;
// How often a transport message goes out at most while the song plays.
var TRANSPORT_MS = 100;
// How long a button stays lit.
var FLASH_MS = 60;
// Notes in one message: three numbers each, well under Max's and the daemon's limits.
var NOTES_A_MESSAGE = 60;
// A peak of -34 dBFS: over the noise of a room, under a hum.
var ONSET_PEAK = 0.02;
// The peak comes up to its interval and the message's way later than the sound.
var ONSET_LATE_SECONDS = 0.06;
var WAIT_FOR_NOTE_MS = 10000;
// What is recorded over the last bar line, and what the buffer has room for beyond that.
var TAIL_MS = 200;
var SPARE_MS = 2000;
// Longer than Max takes to write the longest recording.
var WRITE_MS = 15000;

var link = {
    // This device's own name for the daemon, and the port that it listens on.
    client: "", port: FIRST_PORT, daemon_port: 0,
    connected: false, heard_ms: 0,
    // What the daemon has told: its folder for recordings, its engine's state, its checkpoint.
    takes: "", engine: "", model: ""
};
var controls = {};
var texts = { preset: "", prompt: "", target: "" };
// Names of those that the set has not got yet.
var unkept = {};
var presets = [];
var counter = 0;
var song = null;
var observers = [];
var told = { ms: 0, beat: 0, playing: 0 };
var chosen_track_id = 0;
var menu_tracks = [];
// The capture that the next clip follows: its id, its words for the display, and the messages that
// made it where they can be sent again.
var melody = null;
// Requests that are under way, oldest first: the id, the message, the melody, when each was last
// heard of. The daemon makes them one after the other.
var requests = [];
// Clips of the newest request by index: what the daemon told of them.
var variations = [];
// Clips that the daemon has made and that no slot could take yet.
var unplaced = [];
var newest_path = "";
// A recording of this track: see `capture_track`.
var take = null;
// What to do when the buffer has been written to a file.
var writing = null;
var listing = null;
var pending_tasks = [];
var keep_task = null;
var keep_text_task = null;
var check_run = null;

// Live is ready. It says so again when a preset is loaded or the device was saved.
function bang() {
    if (!song) {
        var found = new LiveAPI("live_set");
        if (!exists(found)) {
            // In a big set Live may say that it is ready before it answers.
            later(bang, LIVE_MS);
            return;
        }
        song = found;
        link.client = "live-" + Math.floor((1 + Math.random()) * 0x10000000).toString(16).slice(1);
        observe();
        search();
    }
    show_tracks();
    show_presets();
    show_melody();
    show_variations();
    show_link();
}

// Every button is a switch that is let go here. A note that is mapped to a parameter of two values
// toggles it (Live manual, Mapping to MIDI Notes): left on, each second hit of a pad would be lost.
function press(name, value) {
    if (value === 0) return;
    later(function () { outlet(SHOW, name, 0); }, FLASH_MS);
    if (song) BUTTONS[name]();
}

// Parameters of Live are floats where they reach beyond 255: what is shown as whole may not be.
function control(name, value) {
    controls[name] = name === "seed" ? Math.round(value) : value;
}

function choose(menu, index) {
    if (menu === "preset") choose_preset(index);
    else choose_target(index);
}

// What stands in the prompt's field, as one symbol; nothing when it is empty.
function text(symbol) {
    keep_text("prompt", symbol === undefined ? "" : String(symbol));
}

// A text that the set has kept, behind its mark; without one, nothing has been kept yet.
function remember(name, kept) {
    var is_kept = typeof kept === "string" && kept.charAt(0) === KEPT;
    var text = is_kept ? kept.slice(1) : "";
    // What is being typed is left alone.
    if (text === texts[name]) return;
    texts[name] = text;
    if (name === "prompt") show_prompt();
    if (name === "target") chosen_track_id = 0;
}

// It is told again with every preset: only another one is news.
function port(value) {
    var is_other = Math.round(value) !== link.daemon_port;
    link.daemon_port = Math.round(value);
    if (!is_other) return;
    outlet(OSC, "port", link.daemon_port);
    if (song) search();
}

// The device is removed, or the set is closed.
function notifydeleted() {
    if (song) send(["/bridge/unsubscribe", link.port]);
    while (pending_tasks.length > 0) forget(pending_tasks[0]);
}

function anything() {
    if (inlet === PROMPT_INLET) {
        // The field may leave out the word before the symbol.
        text(messagename);
        return;
    }
    var handle = EVENTS[messagename];
    if (handle) handle.apply(null, arrayfromargs(arguments));
}

// Keeps a text in the set. Later, and once: each change of a parameter is a step of Live's undo.
function keep_text(name, text) {
    texts[name] = text;
    unkept[name] = true;
    forget(keep_text_task);
    keep_text_task = later(keep_texts, KEEP_TEXT_MS);
}

function keep_texts() {
    for (var name in unkept) outlet(SHOW, "keep_" + name, KEPT + texts[name]);
    unkept = {};
}

// Looks for the daemon: listens on a port and subscribes with it, until a hello with this client's
// own name comes back. Where another device has the port, that hello goes to the other one.
function search() {
    link.connected = false;
    show_link();
    subscribe();
}

function subscribe() {
    outlet(SHOW, "listen_on", "port", link.port);
    send(["/bridge/subscribe", link.port, link.client]);
    forget(keep_task);
    keep_task = later(unanswered, HELLO_MS);
}

function unanswered() {
    link.port = FIRST_PORT + ((link.port - FIRST_PORT + 1) % PORTS);
    subscribe();
}

// Subscribing again is better than a ping: a daemon that was restarted would answer a ping, and
// send no events.
function keep() {
    if (now_ms() - link.heard_ms > SILENT_MS) {
        search();
        return;
    }
    send(["/bridge/subscribe", link.port, link.client]);
    // For a daemon that was restarted meanwhile, and for what was lost on the way.
    tell_transport();
    if (listing && now_ms() - listing.asked_ms > KEEP_MS) list_presets();
    for (var i = 0; i < requests.length; i++) {
        if (now_ms() - requests[i].heard_ms > KEEP_MS) repeat_request(requests[i]);
    }
    keep_task = later(keep, KEEP_MS);
}

function on_hello(version, protocol, engine, model, client, takes) {
    if (client !== link.client) return;
    link.heard_ms = now_ms();
    link.engine = engine;
    link.model = model;
    link.takes = takes === undefined ? "" : String(takes);
    if (!link.connected) {
        link.connected = true;
        forget(keep_task);
        keep_task = later(keep, KEEP_MS);
        say("");
        list_presets();
        tell_transport();
        requests.forEach(repeat_request);
    }
    show_link();
}

function on_engine(state, detail) {
    if (state === "failed") say("The engine failed: " + detail);
    else if (link.engine === "failed") say("");
    link.engine = state;
    show_link();
}

function on_input(state, device) {
    if (state === "lost") say("The daemon lost its input " + device + ": is it still plugged in?");
}

function on_level(peak_db) {
    outlet(SHOW, "heard", "db", peak_db);
}

function send(message) {
    outlet(OSC, message);
}

function next_id() {
    counter += 1;
    return link.client + "-" + counter;
}

function is_own(id) {
    return String(id).indexOf(link.client + "-") === 0;
}

function list_presets() {
    listing = { id: next_id(), asked_ms: now_ms(), found: [] };
    send(["/bridge/presets", listing.id]);
}

function on_preset(id, index, count, name, text) {
    if (!listing || id !== listing.id) return;
    listing.found[index] = { name: String(name), prompt: String(text) };
}

// A list with a hole is asked for again.
function end_listing(count) {
    var found = listing.found.filter(function (preset) { return preset; });
    if (found.length < count) {
        list_presets();
        return;
    }
    presets = found;
    listing = null;
    show_presets();
}

function choose_preset(index) {
    var preset = index > 0 ? presets[index - 1] : null;
    texts.prompt = preset ? preset.prompt : "";
    show_prompt();
    keep_text("prompt", texts.prompt);
    keep_text("preset", preset ? preset.name : "");
}

function show_prompt() {
    if (texts.prompt) outlet(SHOW, "prompt_text", "set", texts.prompt);
    else outlet(SHOW, "prompt_text", "clear");
}

function preset_named(name) {
    for (var i = 0; i < presets.length; i++) if (presets[i].name === name) return presets[i];
    return null;
}

function show_presets() {
    outlet(SHOW, "preset_menu", "clear");
    outlet(SHOW, "preset_menu", "append", NO_PRESET);
    var shown = 0;
    for (var i = 0; i < presets.length; i++) {
        outlet(SHOW, "preset_menu", "append", presets[i].name);
        if (presets[i].name === texts.preset) shown = i + 1;
    }
    // A preset that the daemon does not have, or a daemon that is not there: its name is kept.
    if (shown === 0 && texts.preset) {
        outlet(SHOW, "preset_menu", "append", texts.preset);
        shown = presets.length + 1;
    }
    outlet(SHOW, "preset_menu", "set", shown);
}

function observe() {
    var clock = [
        "tempo", "signature_numerator", "signature_denominator", "is_playing", "current_song_time"
    ];
    for (var i = 0; i < clock.length; i++) observers.push(observed("live_set", clock[i], on_clock));
    observers.push(observed("live_set", "tracks", function () { later(show_tracks, 0); }));
}

function observed(path, property, callback) {
    var api = new LiveAPI(callback, path);
    api.property = property;
    return api;
}

// On every change at once, but while the song merely goes on a few times a second.
function on_clock(values) {
    if (!link.connected) return;
    var goes_on = values[0] === "current_song_time" && told.playing && number(song, "is_playing");
    if (goes_on && now_ms() - told.ms < TRANSPORT_MS) {
        var expected = told.beat + (now_ms() - told.ms) / 60000 * number(song, "tempo");
        if (Math.abs(Number(values[1]) - expected) < 0.25) return;
    }
    tell_transport();
}

function tell_transport() {
    var place = song_place();
    told = { ms: now_ms(), beat: place.beat, playing: number(song, "is_playing") };
    var message = [
        "/bridge/transport", number(song, "tempo"), place.beat, told.playing,
        place.numerator, place.denominator
    ];
    send(place.bar === null ? message : message.concat([place.bar, place.beat_in_bar]));
}

// Where the playhead is. Bars are counted by Live: meters may have changed on the way.
function song_place() {
    var beat = number(song, "current_song_time");
    var numerator = number(song, "signature_numerator");
    var denominator = number(song, "signature_denominator");
    var place = {
        beat: beat, numerator: numerator, denominator: denominator,
        beats_a_bar: 4 * numerator / denominator, bar: null, beat_in_bar: null
    };
    // "bars.beats.sixteenths.ticks", each from 1 but the ticks.
    var parts = String(song.call("get_current_beats_song_time")).split(".");
    if (parts.length === 4 && isFinite(parseInt(parts[0], 10))) {
        // The rest of the sixteenth is read off the song's time, which is finer than a tick.
        var rest = beat * 4 - Math.floor(beat * 4);
        if (rest > 0.999999) rest = 0;
        place.bar = parseInt(parts[0], 10);
        place.beat_in_bar = (parseInt(parts[1], 10) - 1) * 4 / denominator
            + (parseInt(parts[2], 10) - 1) / 4 + rest / 4;
    }
    return place;
}

function song_key() {
    // Live 11 has no scale mode.
    if (!controls.song_key || String(song.info).indexOf("scale_mode") < 0) return "";
    if (number(song, "scale_mode") !== 1) return "";
    var mode = MODES[string(song, "scale_name")];
    return mode ? NOTES[number(song, "root_note")] + " " + mode : "";
}

function last_bars() {
    if (!is_connected()) return false;
    var bars = controls.bars;
    follow([["/bridge/capture/last", next_id(), bars]], "last " + count_of(bars, "bar"));
    // Later, other bars would be the last.
    melody.messages = [];
    return true;
}

function no_melody() {
    melody = null;
    show_melody();
}

// The melody from now on, by the messages that make it.
function follow(messages, words) {
    melody = { id: messages[0][1], words: words, messages: messages, is_take: false };
    messages.forEach(send);
    show_melody();
}

function from_clip() {
    if (!is_connected()) return;
    var clip = new LiveAPI("live_set view detail_clip");
    if (!exists(clip)) {
        say("No clip is selected: click the clip that has the melody, then press From clip.");
    } else if (number(clip, "is_midi_clip")) {
        follow_notes(clip);
    } else {
        follow_audio(clip);
    }
}

// What of a clip is heard: its loop, or what lies between its markers. In beats when it is warped.
function heard_part(clip) {
    var looping = number(clip, "looping");
    return {
        start: number(clip, looping ? "loop_start" : "start_marker"),
        end: number(clip, looping ? "loop_end" : "end_marker")
    };
}

function follow_audio(clip) {
    var path = posix_path(string(clip, "file_path"));
    var part = heard_part(clip);
    var seconds = part;
    var tempo_bpm = number(song, "tempo");
    if (number(clip, "warping")) {
        var markers = warp_markers(clip);
        if (markers.length < 2) {
            say("Live tells no warp markers of this clip: switch its Warp off and on.");
            return;
        }
        // A bar that begins before the file does is left out: a part of it would move all the rest.
        var beats_a_bar = song_place().beats_a_bar;
        while (part.start < part.end && seconds_at(markers, part.start) < -EXACT_BEATS) {
            part.start += beats_a_bar;
        }
        seconds = { start: seconds_at(markers, part.start), end: seconds_at(markers, part.end) };
        tempo_bpm = (part.end - part.start) * 60 / (seconds.end - seconds.start);
    }
    var start = Math.max(0, seconds.start);
    if (seconds.end - start < 0.05) {
        say("The selected clip is too short to be a melody.");
        return;
    }
    follow([[
        "/bridge/capture/file", next_id(), path, "start_seconds", start,
        "length_seconds", seconds.end - start, "tempo_bpm", clamp(tempo_bpm, 20, 999),
        "numerator", number(song, "signature_numerator"),
        "denominator", number(song, "signature_denominator")
    ]], "clip " + quoted(clip));
}

// The time in the file at a beat: straight between two markers, and on beyond the outer ones.
function seconds_at(markers, beat) {
    var i = 1;
    while (i < markers.length - 1 && markers[i].beat_time < beat) i += 1;
    var before = markers[i - 1];
    var after = markers[i];
    return before.sample_time + (beat - before.beat_time)
        * (after.sample_time - before.sample_time) / (after.beat_time - before.beat_time);
}

function follow_notes(clip) {
    var part = heard_part(clip);
    var beats_a_bar = song_place().beats_a_bar;
    var bars = Math.max(1, Math.ceil((part.end - part.start) / beats_a_bar - EXACT_BEATS));
    var heard = notes_of(clip, part.start, part.end);
    if (heard.length === 0) {
        say("The selected clip has no notes in its loop.");
        return;
    }
    var id = next_id();
    var messages = [];
    for (var from = 0; from < heard.length; from += NOTES_A_MESSAGE) {
        var message = ["/bridge/capture/notes", id, bars];
        for (var i = from; i < Math.min(heard.length, from + NOTES_A_MESSAGE); i++) {
            message.push(heard[i].start, heard[i].pitch, heard[i].length);
        }
        messages.push(message);
    }
    messages.push(["/bridge/capture/stop", id]);
    follow(messages, "notes of " + quoted(clip));
}

// Notes that sound between two beats of the clip, counted from the first.
function notes_of(clip, start, end) {
    var all = parsed(clip.call("get_notes_extended", 0, 128, start, end - start)).notes || [];
    var heard = [];
    for (var i = 0; i < all.length; i++) {
        var first = Math.max(all[i].start_time, start);
        var last = Math.min(all[i].start_time + all[i].duration, end);
        if (!all[i].mute && last > first) {
            heard.push({
                start: first - start, pitch: all[i].pitch, length: Math.max(last - first, 0.01)
            });
        }
    }
    return heard;
}

// Records this track into the buffer: from now on, and what is whole bars is cut out by the daemon.
// So the start need not be in time; that it is known where in the song it was is enough.
function capture_track() {
    if (take) {
        end_take_by_hand();
        return;
    }
    if (!is_connected() || !can_record()) return;
    var reason = no_input();
    if (reason) {
        say(reason);
        return;
    }
    begin_take();
}

function can_record() {
    if (check_run) say("Check is going on: wait for its end.");
    else if (writing) say("A recording is being written: wait for it.");
    else if (!link.takes) say("The daemon tells no folder for recordings: update melody-bridge.");
    else return true;
    return false;
}

function begin_take() {
    var place = song_place();
    var since_bar_line = place.beat_in_bar;
    if (since_bar_line === null) since_bar_line = place.beat % place.beats_a_bar;
    var id = next_id();
    take = {
        id: id,
        path: link.takes + "/" + id + ".wav",
        bars: controls.bars,
        tempo_bpm: number(song, "tempo"),
        numerator: place.numerator,
        denominator: place.denominator,
        bar_seconds: place.beats_a_bar * 60 / number(song, "tempo"),
        playing: number(song, "is_playing") === 1,
        next_bar_line_beat: place.beat - since_bar_line + place.beats_a_bar,
        start_beat: place.beat,
        started_ms: now_ms(),
        // Where the melody begins in the recording; not known before the first note.
        first_seconds: null,
        end_task: null,
        is_written: false
    };
    var longest_ms = (take.bars + 1) * take.bar_seconds * 1000 + WAIT_FOR_NOTE_MS + SPARE_MS;
    outlet(SOUND, "buffer", "setsize", longest_ms, 2);
    outlet(SOUND, "buffer", "format", "float32");
    start_recording();
    if (take.playing) {
        take.first_seconds = seconds_to_bar_line();
        end_take_after(take.bars);
    } else {
        outlet(SOUND, "listen", 1);
    }
    show_capture("Stop");
    show_melody();
}

function start_recording() {
    take.started_ms = now_ms();
    outlet(SOUND, "sync", "bang");
    outlet(SOUND, "record", 1);
}

// The song's beat by the audio engine, asked for as the recording begins: finer than Live's own
// figure, which it must agree with, else it is not believed. Some versions tell 0 for ever.
function song_beats(beats) {
    if (!take || take.is_written || !take.playing || beats === 0) return;
    if (Math.abs(beats - take.start_beat) >= 0.5) return;
    take.start_beat = beats;
    take.first_seconds = seconds_to_bar_line();
}

function seconds_to_bar_line() {
    return Math.max(0, take.next_bar_line_beat - take.start_beat) * 60 / take.tempo_bpm;
}

// The level of the track, while the first note is waited for.
function peak(level) {
    if (!take || take.first_seconds !== null) return;
    var since_ms = now_ms() - take.started_ms;
    if (level >= ONSET_PEAK) {
        take.first_seconds = Math.max(0, since_ms / 1000 - ONSET_LATE_SECONDS);
        outlet(SOUND, "listen", 0);
        end_take_after(take.bars);
        show_melody();
    } else if (since_ms > WAIT_FOR_NOTE_MS) {
        // The buffer is as long as the wait is: begin again before it is full.
        outlet(SOUND, "record", 0);
        start_recording();
    }
}

function end_take_after(bars) {
    forget(take.end_task);
    take.bars = bars;
    var at_ms = (take.first_seconds + bars * take.bar_seconds) * 1000 + TAIL_MS;
    take.end_task = later(write_take, Math.max(0, take.started_ms + at_ms - now_ms()));
}

// At the bar line that is nearest to where it was pressed.
function end_take_by_hand() {
    if (take.is_written) return;
    var elapsed = (now_ms() - take.started_ms) / 1000 - (take.first_seconds || 0);
    var bars = Math.min(take.bars, Math.round(elapsed / take.bar_seconds));
    if (take.first_seconds === null || bars < 1) {
        drop_take("Capture was stopped before its first bar was over.");
    } else {
        end_take_after(bars);
    }
}

function drop_take(reason) {
    forget(take.end_task);
    outlet(SOUND, "record", 0);
    outlet(SOUND, "listen", 0);
    take = null;
    show_capture("Capture");
    show_melody();
    if (reason) say(reason);
}

function write_take() {
    if (!take || take.is_written) return;
    take.is_written = true;
    outlet(SOUND, "record", 0);
    write_buffer(take.path, follow_take, drop_take);
}

// Writes the buffer to a file. Max tells when it is whole; a file that cannot be written, it does
// not tell of.
function write_buffer(path, done, failed) {
    writing = { done: done, task: later(function () {
        writing = null;
        failed("Max could not write " + path + ": is the disk full?");
    }, WRITE_MS) };
    outlet(SOUND, "buffer", "writewave", path);
}

// The buffer's file is whole.
function written() {
    if (!writing) return;
    var done = writing.done;
    forget(writing.task);
    writing = null;
    done();
}

// Now the daemon may read it.
function follow_take() {
    var done = take;
    drop_take("");
    follow([[
        "/bridge/capture/file", done.id, done.path, "start_seconds", done.first_seconds,
        "length_seconds", done.bars * done.bar_seconds, "tempo_bpm", done.tempo_bpm,
        "numerator", done.numerator, "denominator", done.denominator
    ]], count_of(done.bars, "bar") + " of this track");
    melody.is_take = true;
}

// Why this track has no sound to capture; empty: it has.
function no_input() {
    var track = own_track();
    if (!exists(track) || !number(track, "can_be_armed")) return "";
    if (number(track, "playing_slot_index") >= 0) return "";
    var monitoring = number(track, "current_monitoring_state");
    if (monitoring === MONITOR_IN) return "";
    if (monitoring === MONITOR_AUTO && number(track, "arm")) return "";
    return "No input comes through this track: arm it, or set its Monitor to In.";
}

function on_capture(id, state, seconds) {
    if (!melody || id !== melody.id) return;
    if (state === "done") show_melody();
    else show_text("melody", melody.words + ": " + state + " " + seconds.toFixed(1) + " s");
}

function hum_to_clip() {
    if (can_generate() && last_bars()) request_clips();
}

function generate() {
    if (can_generate()) request_clips();
}

// Refused now rather than when the clip is done.
function can_generate() {
    if (!is_connected()) return false;
    if (take) say("Capture is still recording: wait for its last bar, or press Stop.");
    else if (check_run) say("Check is going on: wait for its end.");
    else return can_place();
    return false;
}

function request_clips() {
    if (!controls.seed_lock) draw_seed();
    var id = next_id();
    var request = {
        id: id, message: generate_message(id), melody: melody, heard_ms: 0,
        is_cancelled: false, repeats: 0
    };
    requests.push(request);
    say("");
    send_request(request);
    if (requests.length === 1) show_progress(0, -1);
}

function generate_message(id) {
    var message = ["/bridge/generate", id];
    var preset = preset_named(texts.preset);
    if (texts.preset) message.push("preset", texts.preset);
    var is_presets = preset && preset.prompt === texts.prompt;
    if (texts.prompt && !is_presets) message.push("prompt", texts.prompt);
    message.push(
        "bars", controls.bars, "tempo_bpm", number(song, "tempo"),
        "numerator", number(song, "signature_numerator"),
        "denominator", number(song, "signature_denominator"),
        "guidance_scale", controls.guidance, "temperature", controls.temperature,
        "seed", controls.seed, "variations", controls.variations,
        "melody", melody ? melody.id : "none"
    );
    var key = song_key();
    return key ? message.concat(["key", key]) : message;
}

// With the messages that make its melody: a daemon that was restarted has forgotten it. What it has
// got already, it does once.
function send_request(request) {
    if (request.melody) request.melody.messages.forEach(send);
    request.heard_ms = now_ms();
    send(request.message);
}

// A request that is sent again is answered by its last state and clips.
function repeat_request(request) {
    if (request.is_cancelled) send(["/bridge/cancel", request.id]);
    else send_request(request);
}

function cancel() {
    if (take && !take.is_written) drop_take("Capture was cancelled.");
    for (var i = 0; i < requests.length; i++) {
        requests[i].is_cancelled = true;
        send(["/bridge/cancel", requests[i].id]);
    }
    // Nobody will answer.
    if (!link.connected) requests.slice().forEach(end_request);
}

// The request of that id, which has been heard of now; null: it is over, or another client's.
function heard_request(id) {
    for (var i = 0; i < requests.length; i++) {
        if (requests[i].id === id) {
            requests[i].heard_ms = now_ms();
            return requests[i];
        }
    }
    return null;
}

function on_progress(id, fraction, eta_seconds) {
    if (heard_request(id)) show_progress(fraction, eta_seconds);
}

function on_clip(
    id, index, count, path, bars, tempo_bpm, seed, score, numerator, denominator, sample_rate, name
) {
    if (!heard_request(id)) return;
    if (variations.length === 0 || variations[0].id !== id) variations = [];
    // A request that was sent again tells its clips again.
    if (variation(index)) return;
    var clip = {
        id: id, index: index, path: String(path), name: clip_name(String(name)), bars: bars,
        beats: bars * 4 * numerator / denominator,
        is_placed: false, is_finished: false, looks: 0
    };
    variations.push(clip);
    newest_path = clip.path;
    place(clip);
}

function on_done(id, count) {
    if (listing && id === listing.id) end_listing(count);
    var request = heard_request(id);
    if (!request) return;
    // A clip's message may be lost, and not this one.
    if (clips_of(id) < count && request.repeats < REPEATS) {
        request.repeats += 1;
        repeat_request(request);
    } else {
        end_request(request);
    }
}

function clips_of(id) {
    return variations.filter(function (clip) { return clip.id === id; }).length;
}

function on_error(id, code, message) {
    if (!is_own(id)) return;
    var request = heard_request(id);
    var told_of = request ? request.melody : melody;
    end_request(request);
    if (listing && id === listing.id) listing = null;
    say(code === "cancelled" ? "Cancelled." : String(message) + hint(code, told_of));
    var is_lost = code === "unknown-melody" || !request && told_of && id === told_of.id;
    if (is_lost && told_of === melody) no_melody();
}

function end_request(request) {
    if (!request) return;
    requests.splice(requests.indexOf(request), 1);
    show_progress(0, -1);
}

// What the device knows beyond the daemon's sentence.
function hint(code, told_of) {
    if (code === "unknown-melody") return " The daemon was restarted: play the melody again.";
    if (code === "silent-melody" && told_of && told_of.is_take) {
        return " Is the track armed, or its Monitor set to In?";
    }
    return "";
}

function draw_seed() {
    controls.seed = Math.floor(Math.random() * 16777216);
    outlet(SHOW, "seed", "set", controls.seed);
}

function dice() {
    draw_seed();
    outlet(SHOW, "seed_lock", 1);
}

// Without the day: a slot shows a dozen letters.
function clip_name(name) {
    return name.replace(/^\d{4}-\d{2}-\d{2} /, "");
}

// Step by step, each in a task of its own: Live takes up some changes only after a script is done.
function place(clip) {
    if (!takes_clips()) {
        say("This Live takes no clips from devices, 12.0.5 does. Press Reveal, drag " + clip.path);
        return;
    }
    var track = target_track();
    var slot = track ? free_slot(track) : null;
    if (!slot) {
        unplaced.push(clip);
        if (track) say("Live makes no free slot on " + quoted(track) + ": choose another track.");
        return;
    }
    attempt(function () { slot.call("create_audio_clip", clip.path); });
    if (!number(slot, "has_clip")) {
        unplaced.push(clip);
        say("Live did not take the clip into " + quoted(track) + ": press Reveal for its file.");
        return;
    }
    clip.is_placed = true;
    var live_clip = new LiveAPI("id " + child_id(slot, "clip"));
    later(function () { dress(live_clip, clip); }, 0);
}

function dress(live_clip, clip) {
    if (!exists(live_clip)) return;
    live_clip.set("name", clip.name);
    live_clip.set("color", COLORS[clip.index % COLORS.length]);
    live_clip.set("warping", 1);
    show_variations();
    later(function () { shape(live_clip, clip, 0); }, 0);
}

// Makes the clip N bars by Live's own count, reads it back, and goes on until that is so.
function shape(live_clip, clip, tries) {
    if (!exists(live_clip)) return;
    // Once at least, so that its end is marked: else another tempo at the end would go unseen.
    if (tries > 0 && number(live_clip, "warping") && is_exact(live_clip, clip)) {
        finish(live_clip, clip);
        return;
    }
    if (tries >= SHAPE_TRIES) {
        var bars = count_of(clip.bars, "bar");
        say(clip.name + " is not " + bars + " long in Live: see its warp markers.");
        return;
    }
    if (number(live_clip, "warping")) {
        attempt(function () { straighten(live_clip, clip); });
        attempt(function () { set_loop(live_clip, clip.beats); });
    } else {
        attempt(function () { live_clip.set("warping", 1); });
    }
    later(function () { shape(live_clip, clip, tries + 1); }, tries === 0 ? 0 : SHAPE_MS);
}

function finish(live_clip, clip) {
    if (!clip.is_finished) {
        clip.is_finished = true;
        live_clip.set("launch_quantization", controls.quantization);
        // The best of a request; the others wait in their slots.
        if (controls.auto_launch && clip.index === 0) live_clip.call("fire");
    }
    watch(live_clip, clip);
}

// Live may analyse a new file for seconds, and then set the markers as it thinks best.
function watch(live_clip, clip) {
    if (clip.looks === LOOKS) return;
    later(function () {
        clip.looks += 1;
        if (!exists(live_clip)) return;
        var is_kept = is_straight(live_clip, clip) && is_end_marked(live_clip, clip);
        if (number(live_clip, "warping") && !is_kept) shape(live_clip, clip, 0);
        else watch(live_clip, clip);
    }, LOOK_MS);
}

function is_exact(live_clip, clip) {
    return number(live_clip, "looping") === 1
        && near(number(live_clip, "loop_start"), 0)
        && near(number(live_clip, "loop_end"), clip.beats)
        && near(number(live_clip, "length"), clip.beats)
        && near(number(live_clip, "start_marker"), 0)
        && near(number(live_clip, "end_marker"), clip.beats)
        && is_straight(live_clip, clip);
}

// Whether the clip's first beat is the file's first frame, its last beat the last frame, and all
// between them on one straight line.
function is_straight(live_clip, clip) {
    var markers = warp_markers(live_clip);
    if (markers.length < 2) return false;
    var seconds_a_beat = duration_seconds(live_clip) / clip.beats;
    function is_on_line(beat, seconds) {
        return is_same_frame(live_clip, seconds, beat * seconds_a_beat);
    }
    for (var i = 0; i < markers.length; i++) {
        var is_inside = markers[i].beat_time > 0 && markers[i].beat_time < clip.beats;
        if (is_inside && !is_on_line(markers[i].beat_time, markers[i].sample_time)) return false;
    }
    return is_on_line(0, seconds_at(markers, 0))
        && is_on_line(clip.beats, seconds_at(markers, clip.beats));
}

function is_end_marked(live_clip, clip) {
    return warp_markers(live_clip).some(function (marker) {
        return near(marker.beat_time, clip.beats);
    });
}

// One straight line from (0 beats, 0 s) to (all beats, all seconds), whatever Live has guessed.
function straighten(live_clip, clip) {
    var markers = warp_markers(live_clip);
    // The last one is Live's own, which it keeps behind the others.
    for (var i = markers.length - 2; i > 0; i--) {
        live_clip.call("remove_warp_marker", markers[i].beat_time);
    }
    set_marker(live_clip, 0, 0);
    var first = warp_markers(live_clip)[0];
    if (!near(first.beat_time, 0)) live_clip.call("remove_warp_marker", first.beat_time);
    set_marker(live_clip, clip.beats, duration_seconds(live_clip));
}

// A marker at that time of the file moves to the beat, for Live takes no second one there; else one
// is made.
function set_marker(live_clip, beat, seconds) {
    var markers = warp_markers(live_clip);
    for (var i = 0; i < markers.length; i++) {
        var from = markers[i].beat_time;
        if (is_same_frame(live_clip, markers[i].sample_time, seconds)) {
            if (!near(from, beat)) live_clip.call("move_warp_marker", from, beat - from);
            return;
        }
    }
    add_marker(live_clip, beat, seconds);
}

function is_same_frame(clip, seconds, other_seconds) {
    return Math.abs(seconds - other_seconds) * number(clip, "sample_rate") < 0.5;
}

// Live wants a dictionary. That a plain object is taken for one is known of other functions; where
// it is not, Max's own kind is tried.
function add_marker(live_clip, beat, seconds) {
    var before = warp_markers(live_clip).length;
    attempt(function () {
        live_clip.call("add_warp_marker", { beat_time: beat, sample_time: seconds });
    });
    if (warp_markers(live_clip).length !== before) return;
    var marker = new Dict();
    marker.set("beat_time", beat);
    marker.set("sample_time", seconds);
    attempt(function () { live_clip.call("add_warp_marker", marker); });
}

// Live refuses an end before a start, so the order depends on where they are.
function set_loop(live_clip, beats) {
    var mode = offered_warp_mode(live_clip);
    if (number(live_clip, "warp_mode") !== mode) live_clip.set("warp_mode", mode);
    live_clip.set("looping", 1);
    set_range(live_clip, "loop_start", "loop_end", beats);
    set_range(live_clip, "start_marker", "end_marker", beats);
}

function set_range(live_clip, start, end, beats) {
    if (number(live_clip, start) >= beats) live_clip.set(start, 0);
    live_clip.set(end, beats);
    live_clip.set(start, 0);
}

// Complex suits a whole mix; Live's smaller editions have not got it.
function offered_warp_mode(live_clip) {
    var modes = list(live_clip.get("available_warp_modes"));
    return modes.map(Number).indexOf(WARP_COMPLEX) >= 0 ? WARP_COMPLEX : WARP_BEATS;
}

function warp_markers(clip) {
    var told_markers = parsed(clip.get("warp_markers"));
    return told_markers.warp_markers || [];
}

function duration_seconds(clip) {
    return number(clip, "sample_length") / number(clip, "sample_rate");
}

function own_track() {
    var api = new LiveAPI("this_device");
    // Through chains and racks, however deep; a device hangs in a track at last.
    for (var i = 0; i < 64 && exists(api) && api.type !== "Track"; i++) {
        api = new LiveAPI("id " + child_id(api, "canonical_parent"));
    }
    return api;
}

// Whether there is a track for clips, or one can be made; if not, the device says why.
function can_place() {
    return !texts.target || checked(chosen_track()) !== null;
}

// The track for clips: the one that was chosen, or the automatic one, which is made when it is
// missing. Null, and a sentence in the device, when there is none.
function target_track() {
    if (texts.target) return checked(chosen_track());
    var own = child_of(own_track());
    return track_where(function (track) {
        return Number(track.id) !== own && string(track, "name") === TRACK_NAME && !why_not(track);
    }) || make_track();
}

// By its id, which it keeps while the set is open; by its name after that.
function chosen_track() {
    if (chosen_track_id === 0) {
        var named = track_where(function (candidate) {
            return string(candidate, "name") === texts.target;
        });
        chosen_track_id = child_of(named);
        return named;
    }
    var track = new LiveAPI("id " + chosen_track_id);
    if (!exists(track)) return null;
    // It may have been renamed.
    if (string(track, "name") !== texts.target) keep_text("target", string(track, "name"));
    return track;
}

// The first track of which that is true; null: there is none.
function track_where(is_wanted) {
    var found = null;
    each_child(song, "tracks", function (track) {
        if (is_wanted(track)) found = track;
        return found !== null;
    });
    return found;
}

function checked(track) {
    var reason = track ? why_not(track) : "is gone";
    // Its input would silence the clip.
    if (track && child_of(track) === child_of(own_track())) reason = "is this device's own";
    if (!reason) return track;
    var name = track ? quoted(track) : "\u201c" + texts.target + "\u201d";
    say("The track " + name + " " + reason + ": choose another under Track.");
    return null;
}

// Why a track can take no audio clip; empty: it can.
function why_not(track) {
    if (number(track, "is_foldable")) return "is a group";
    if (!number(track, "has_audio_input")) return NO_AUDIO;
    if (number(track, "is_frozen")) return "is frozen";
    return "";
}

function make_track() {
    var ids = child_ids(song, "tracks");
    var own = child_of(own_track());
    var at = -1;
    for (var i = 0; i < ids.length; i++) if (ids[i] === own && i + 1 < ids.length) at = i + 1;
    attempt(function () { song.call("create_audio_track", at); });
    var after = child_ids(song, "tracks");
    for (var j = 0; j < after.length; j++) {
        if (ids.indexOf(after[j]) < 0) {
            var track = new LiveAPI("id " + after[j]);
            track.set("name", TRACK_NAME);
            return track;
        }
    }
    say("Live made no track for the clip: choose one under Track.");
    return null;
}

function free_slot(track) {
    var slot = first_free(track);
    if (!slot) {
        attempt(function () { song.call("create_scene", -1); });
        slot = first_free(track);
    }
    return slot;
}

function first_free(track) {
    var free = null;
    each_child(track, "clip_slots", function (slot) {
        if (!number(slot, "has_clip")) free = slot;
        return free !== null;
    });
    return free;
}

// Ids of every slot whose clip plays that file, wherever it has been moved or copied to; with
// `only_first`, of one.
function slots_with(path, only_first) {
    var found = [];
    var clip = new LiveAPI();
    each_child(song, "tracks", function (track) {
        if (why_not(track) === NO_AUDIO) return false;
        each_child(track, "clip_slots", function (slot) {
            if (number(slot, "has_clip")) {
                clip.id = child_id(slot, "clip");
                if (plays(clip, path)) found.push(Number(slot.id));
            }
            return only_first && found.length > 0;
        });
        return only_first && found.length > 0;
    });
    return found;
}

function is_arranged(path) {
    var found = false;
    each_child(song, "tracks", function (track) {
        // A group's cannot even be asked for.
        if (number(track, "is_foldable") || why_not(track) === NO_AUDIO) return false;
        each_child(track, "arrangement_clips", function (clip) {
            found = plays(clip, path);
            return found;
        });
        return found;
    });
    return found;
}

// By the file's name, which no other clip has: its folder is written in several ways, and is
// another one once Live has collected the set's files.
function plays(clip, path) {
    return number(clip, "is_audio_clip") === 1
        && file_name(posix_path(string(clip, "file_path"))) === file_name(path);
}

function choose_target(index) {
    var track = index > 0 ? menu_tracks[index - 1] : null;
    chosen_track_id = track ? track.id : 0;
    keep_text("target", track ? track.name : "");
    say("");
    var waiting = unplaced;
    unplaced = [];
    for (var i = 0; i < waiting.length; i++) place(waiting[i]);
}

// Live's own list, anew each time it changes; without this track, whose input would silence clips.
function show_tracks() {
    var own = child_of(own_track());
    menu_tracks = [];
    each_child(song, "tracks", function (track) {
        if (Number(track.id) !== own && !why_not(track)) {
            menu_tracks.push({ id: Number(track.id), name: string(track, "name") });
        }
    });
    outlet(SHOW, "target_menu", "clear");
    outlet(SHOW, "target_menu", "append", AUTOMATIC);
    var shown = 0;
    for (var i = 0; i < menu_tracks.length; i++) {
        outlet(SHOW, "target_menu", "append", menu_tracks[i].name);
        var is_chosen = chosen_track_id
            ? menu_tracks[i].id === chosen_track_id : menu_tracks[i].name === texts.target;
        if (texts.target && is_chosen && shown === 0) shown = i + 1;
    }
    if (shown === 0 && texts.target) {
        // Gone, frozen or a group now: it stays chosen, and Generate says what is wrong with it.
        outlet(SHOW, "target_menu", "append", texts.target);
        shown = menu_tracks.length + 1;
    }
    outlet(SHOW, "target_menu", "set", shown);
}

function launch(index) {
    var clip = variation(index);
    var slots = clip ? slots_with(clip.path, true) : [];
    if (slots.length > 0) new LiveAPI("id " + slots[0]).call("fire");
    else say("There is no clip " + LETTERS[index].toUpperCase() + " in a slot.");
}

// The slot first: a file that is moved away under a clip leaves the clip without its sound.
function discard(index) {
    if (!is_connected()) return;
    var clip = variation(index);
    if (!clip) {
        say("There is no clip " + LETTERS[index].toUpperCase() + ".");
        return;
    }
    if (is_arranged(clip.path)) {
        say(clip.name + " is in the Arrangement too: delete it there, then discard it.");
        return;
    }
    var slots = slots_with(clip.path, false);
    for (var i = 0; i < slots.length; i++) {
        var slot = new LiveAPI("id " + slots[i]);
        attempt(function () { slot.call("delete_clip"); });
        if (number(slot, "has_clip")) {
            say("Live does not delete " + clip.name + " from its slot: is its track frozen?");
            return;
        }
    }
    variations.splice(variations.indexOf(clip), 1);
    unplaced = unplaced.filter(function (other) { return other !== clip; });
    send(["/bridge/discard", clip.id, clip.index]);
    show_variations();
}

function variation(index) {
    for (var i = 0; i < variations.length; i++) {
        if (variations[i].index === index) return variations[i];
    }
    return null;
}

function reveal() {
    if (!newest_path) {
        say("No clip has been made yet.");
        return;
    }
    var folder = newest_path.replace(/\/[^\/]*$/, "");
    var escaped = encodeURI(folder).replace(/#/g, "%23").replace(/\?/g, "%3F");
    max.launchbrowser("file://" + (folder.charAt(0) === "/" ? "" : "/") + escaped);
    // Some systems open nothing, and say nothing.
    say("Clips are in " + folder);
}

function say(text) {
    show_text("status", text);
}

function is_connected() {
    if (link.connected) return true;
    say("The daemon does not answer: start it with  melody-bridge run");
    return false;
}

function show_link() {
    var color = !link.connected ? LIGHTS.off
        : link.engine === "failed" ? LIGHTS.bad
        : link.engine === "ready" ? LIGHTS.on : LIGHTS.wait;
    outlet(SHOW, ["light", "bgfillcolor"].concat(color, [1]));
    var state = link.engine + ", " + short_model(link.model);
    show_text("state", link.connected ? state : "not connected");
}

function short_model(model) {
    return file_name(String(model));
}

function show_melody() {
    if (take && take.first_seconds === null) show_text("melody", "waiting for the first note");
    else if (take) show_text("melody", "recording " + count_of(take.bars, "bar"));
    else show_text("melody", melody ? melody.words : "no melody");
}

function show_capture(label) {
    outlet(SHOW, "capture", "text", label);
    outlet(SHOW, "capture", "texton", label);
}

function show_progress(fraction, eta_seconds) {
    outlet(SHOW, "progress", fraction);
    var left = requests.length > 0 ? "\u2026" : "";
    if (eta_seconds >= 0) left = Math.ceil(eta_seconds) + " s";
    if (requests.length > 1) left = left + " +" + (requests.length - 1);
    show_text("time_left", left);
}

function show_variations() {
    for (var i = 0; i < LETTERS.length; i++) {
        var clip = variation(i);
        outlet(SHOW, "launch_" + LETTERS[i], "active", clip && clip.is_placed ? 1 : 0);
    }
}

// Word by word: a symbol with spaces is shown in quotes by some of Max's objects. Never nothing,
// for `set` alone would not clear.
function show_text(word, text) {
    outlet(SHOW, [word, "set"].concat(text === "" ? [" "] : String(text).split(" ")));
}

function quoted(named) {
    return "\u201c" + string(named, "name") + "\u201d";
}

function count_of(number_of, word) {
    return number_of + " " + word + (number_of === 1 ? "" : "s");
}

// What Live answers, as a list: some versions give one value without its brackets.
function list(value) {
    return value === null || value === undefined ? [] : [].concat(value);
}

function number(api, property) {
    return Number(list(api.get(property))[0]);
}

function string(api, property) {
    return list(api.get(property)).join(" ");
}

function exists(api) {
    return api !== null && Number(api.id) !== 0;
}

function child_of(api) {
    return exists(api) ? Number(api.id) : 0;
}

// Of "id", 5.
function child_id(api, child) {
    return Number(list(api.get(child))[1] || 0);
}

// Of "id", 5, "id", 6 and so on.
function child_ids(api, children) {
    var pairs = list(api.get(children));
    var ids = [];
    for (var i = 1; i < pairs.length; i += 2) ids.push(Number(pairs[i]));
    return ids;
}

// One object goes from child to child: Max never frees what a LiveAPI object has used. So a visit
// that wants to keep a child keeps its id, or is the last: one that returns true ends the round.
function each_child(api, children, visit) {
    var ids = child_ids(api, children);
    if (ids.length === 0) return;
    var child = new LiveAPI("id " + ids[0]);
    for (var i = 0; i < ids.length; i++) {
        child.id = ids[i];
        if (visit(child) === true) return;
    }
}

// Whether clips can be made of files: of any slot, for all are alike.
function takes_clips() {
    var can = false;
    each_child(song, "tracks", function (track) {
        var slots = child_ids(track, "clip_slots");
        if (slots.length > 0) can = offers(new LiveAPI("id " + slots[0]), "create_audio_clip");
        return slots.length > 0;
    });
    return can;
}

// Whether Live's object has that function: older ones have fewer.
function offers(api, name) {
    return String(api.info).indexOf("function " + name) >= 0;
}

// A dictionary comes as JSON from some versions, and as an object from others.
function parsed(value) {
    var text = value instanceof Array ? value.join("") : value;
    if (typeof text !== "string") return text || {};
    try {
        return JSON.parse(text);
    } catch (error) {
        return {};
    }
}

// What is refused is told apart by reading back; that it was refused is no mishap of the script.
function attempt(action) {
    try {
        action();
    } catch (error) {
        post("melody_bridge: " + error + "\n");
    }
}

function near(a, b) {
    return Math.abs(a - b) < EXACT_BEATS;
}

function clamp(value, low, high) {
    return Math.min(Math.max(value, low), high);
}

function file_name(path) {
    return path.replace(/^.*\//, "");
}

// "Macintosh HD:/Users/…" is Max's way to write "/Users/…"; backslashes are Windows'.
function posix_path(path) {
    var volume = /^([^\/\\]{2,}):(\/.*)$/.exec(path);
    return (volume ? volume[2] : path).replace(/\\/g, "/");
}

function now_ms() {
    return new Date().getTime();
}

// In a task of its own, which is kept until it has run: Max would forget it.
function later(action, ms) {
    var task = new Task(function () {
        forget(task);
        action();
    });
    pending_tasks.push(task);
    task.schedule(ms);
    return task;
}

function forget(task) {
    if (!task) return;
    task.cancel();
    var at = pending_tasks.indexOf(task);
    if (at >= 0) pending_tasks.splice(at, 1);
}

// Tries, on a track of its own, what this script relies on. Nobody has run it in every Live.
function check() {
    if (!is_connected() || !can_record()) return;
    if (take || requests.length > 0) {
        say("A melody is being captured or a clip made: wait for it, then press Check.");
        return;
    }
    check_run = {
        path: link.takes + "/melody-bridge-check.wav",
        // Of two seconds of silence, at 120 bpm.
        beats: 4,
        at: 0, results: [], tracks: [], scene: 0
    };
    say("Checking \u2026");
    outlet(SOUND, "buffer", "setsize", 2000, 2);
    outlet(SOUND, "buffer", "clear");
    write_buffer(check_run.path, function () { later(check_next, 0); }, function (reason) {
        check_run = null;
        say(reason);
    });
}

// One check a task, for Live takes up some changes only between tasks.
function check_next() {
    if (check_run.at >= CHECKS.length) {
        end_check();
        return;
    }
    var agrees = false;
    attempt(function () { agrees = CHECKS[check_run.at].agrees(check_run) === true; });
    check_run.results.push({ words: CHECKS[check_run.at].words, agrees: agrees });
    check_run.at += 1;
    var next = CHECKS[check_run.at];
    later(check_next, (next && next.after_ms) || SHAPE_MS);
}

function end_check() {
    var run = check_run;
    check_run = null;
    attempt(function () { clear_scratch(run); });
    var agree = run.results.filter(function (result) { return result.agrees; }).length;
    var lines = run.results.map(function (result) {
        return (result.agrees ? "agrees   " : "DIFFERS  ") + result.words;
    });
    var path = run.path.replace(/\.wav$/, ".txt");
    var report = new File(path, "write");
    for (var i = 0; i < lines.length; i++) {
        post(lines[i] + "\n");
        if (report.isopen) report.writeline(lines[i]);
    }
    if (report.isopen) {
        // What a longer report of before has left.
        report.eof = report.position;
        report.close();
    }
    var all = agree === lines.length;
    say(agree + " of " + lines.length + " agree. " + (all ? "See " : "Please report ") + path);
}

function clear_scratch(run) {
    for (var i = 0; i < run.tracks.length; i++) {
        var at = child_ids(song, "tracks").indexOf(run.tracks[i]);
        if (at >= 0) song.call("delete_track", at);
    }
    var scene = child_ids(song, "scenes").indexOf(run.scene);
    if (scene >= 0 && is_empty_scene(scene)) song.call("delete_scene", scene);
}

// A clip may have come meanwhile, such as another device's.
function is_empty_scene(index) {
    var is_empty = true;
    each_child(song, "tracks", function (track) {
        var slot = new LiveAPI("id " + child_ids(track, "clip_slots")[index]);
        if (number(slot, "has_clip")) is_empty = false;
        return !is_empty;
    });
    return is_empty;
}

// Makes a track at the end, and remembers to remove it.
function scratch_track(run, make) {
    var before = child_ids(song, "tracks");
    song.call(make, -1);
    var after = child_ids(song, "tracks").filter(function (id) { return before.indexOf(id) < 0; });
    run.tracks = run.tracks.concat(after);
    return after.length === 1 ? new LiveAPI("id " + after[0]) : null;
}

function scratch_slot(run, index) {
    return new LiveAPI("id " + child_ids(run.track, "clip_slots")[index]);
}

function scratch_clip(run) {
    return new LiveAPI("id " + child_id(scratch_slot(run, 0), "clip"));
}

var CHECKS = [
    { words: "the device finds its own track", agrees: function () {
        return own_track().type === "Track";
    } },
    { words: "the song tells bars and beats in four parts", agrees: function () {
        return String(song.call("get_current_beats_song_time")).split(".").length === 4;
    } },
    { words: "the selected clip can be asked for", agrees: function () {
        return !isNaN(Number(new LiveAPI("live_set view detail_clip").id));
    } },
    { words: "an audio track can be made and named", agrees: function (run) {
        run.track = scratch_track(run, "create_audio_track");
        run.track.set("name", "Melody Bridge check");
        return string(run.track, "name") === "Melody Bridge check" && why_not(run.track) === "";
    } },
    { words: "a scene can be made at the end", agrees: function (run) {
        var before = child_ids(song, "scenes");
        song.call("create_scene", -1);
        var after = child_ids(song, "scenes");
        run.scene = after[after.length - 1];
        return before.indexOf(run.scene) < 0 && after.length === before.length + 1
            && child_ids(run.track, "clip_slots").length === after.length;
    } },
    { words: "a slot offers create_audio_clip", agrees: function (run) {
        return offers(scratch_slot(run, 0), "create_audio_clip");
    } },
    { words: "a relative path is refused", agrees: function (run) {
        var slot = scratch_slot(run, 0);
        attempt(function () { slot.call("create_audio_clip", "melody-bridge-check.wav"); });
        return number(slot, "has_clip") === 0;
    } },
    { words: "an absolute path makes a clip", agrees: function (run) {
        scratch_slot(run, 0).call("create_audio_clip", run.path);
        return number(scratch_slot(run, 0), "has_clip") === 1;
    } },
    { words: "the clip tells its file", agrees: function (run) {
        return plays(scratch_clip(run), run.path);
    } },
    { words: "the clip tells how long its file is", agrees: function (run) {
        return Math.abs(duration_seconds(scratch_clip(run)) - 2) < 0.001;
    } },
    { words: "an occupied slot is refused", agrees: function (run) {
        var before = child_id(scratch_slot(run, 0), "clip");
        attempt(function () { scratch_slot(run, 0).call("create_audio_clip", run.path); });
        return before !== 0 && child_id(scratch_slot(run, 0), "clip") === before;
    } },
    { words: "a clip can be named and coloured", agrees: function (run) {
        var clip = scratch_clip(run);
        clip.set("name", "check");
        clip.set("color", COLORS[0]);
        clip.set("warping", 1);
        return string(clip, "name") === "check" && number(clip, "color") > 0;
    } },
    { words: "warping is on in the next task", agrees: function (run) {
        return number(scratch_clip(run), "warping") === 1;
    } },
    // Live analyses a new file, and sets its markers when it is done.
    { words: "warp markers are told, the last one hidden", after_ms: 4000, agrees: function (run) {
        var markers = warp_markers(scratch_clip(run));
        return markers.length >= 2 && isFinite(markers[0].beat_time)
            && isFinite(markers[0].sample_time);
    } },
    { words: "warp markers can be set to a straight line", agrees: function (run) {
        straighten(scratch_clip(run), run);
        return is_straight(scratch_clip(run), run);
    } },
    { words: "a warp marker can be added, moved and removed", agrees: function (run) {
        var clip = scratch_clip(run);
        add_marker(clip, 2, 1);
        clip.call("move_warp_marker", 2, 0.5);
        var moved = warp_markers(clip)[1];
        clip.call("remove_warp_marker", 2.5);
        return near(moved.beat_time, 2.5) && near(moved.sample_time, 1)
            && is_straight(clip, run);
    } },
    { words: "a loop of whole bars can be set", agrees: function (run) {
        set_loop(scratch_clip(run), run.beats);
        return is_exact(scratch_clip(run), run);
    } },
    { words: "a clip keeps its launch quantization", agrees: function (run) {
        scratch_clip(run).set("launch_quantization", 5);
        return number(scratch_clip(run), "launch_quantization") === 5;
    } },
    { words: "a clip can be deleted from its slot", agrees: function (run) {
        scratch_slot(run, 0).call("delete_clip");
        return number(scratch_slot(run, 0), "has_clip") === 0;
    } },
    { words: "a MIDI track is refused", agrees: function (run) {
        var track = scratch_track(run, "create_midi_track");
        var slot = new LiveAPI("id " + child_ids(track, "clip_slots")[0]);
        attempt(function () { slot.call("create_audio_clip", run.path); });
        run.midi_slot = slot;
        return why_not(track) !== "" && number(slot, "has_clip") === 0;
    } },
    { words: "a MIDI clip tells its notes", agrees: function (run) {
        run.midi_slot.call("create_clip", 4);
        var clip = new LiveAPI("id " + child_id(run.midi_slot, "clip"));
        clip.call("add_new_notes", { notes: [{ pitch: 60, start_time: 1, duration: 0.5 }] });
        var notes = notes_of(clip, 0, 4);
        return notes.length === 1 && notes[0].pitch === 60 && near(notes[0].start, 1)
            && near(notes[0].length, 0.5);
    } }
];

function launcher(index) {
    return function () { launch(index); };
}

function discarder(index) {
    return function () { discard(index); };
}

var BUTTONS = {
    capture: capture_track,
    last_bars: last_bars,
    from_clip: from_clip,
    no_melody: no_melody,
    hum_to_clip: hum_to_clip,
    generate: generate,
    cancel: cancel,
    dice: dice,
    check: check,
    reveal: reveal
};
for (var letter = 0; letter < LETTERS.length; letter++) {
    BUTTONS["launch_" + LETTERS[letter]] = launcher(letter);
    BUTTONS["discard_" + LETTERS[letter]] = discarder(letter);
}

// What the daemon tells. A pong is not asked for.
var EVENTS = {
    "/bridge/hello": on_hello,
    "/bridge/engine": on_engine,
    "/bridge/input": on_input,
    "/bridge/capture": on_capture,
    "/bridge/level": on_level,
    "/bridge/progress": on_progress,
    "/bridge/clip": on_clip,
    "/bridge/preset": on_preset,
    "/bridge/done": on_done,
    "/bridge/error": on_error
};
