// Messages from the patcher: buttons, controls, menus, texts that the set keeps, and OSC events.
//
// First inlet: bang (Live is ready), press NAME, control NAME VALUE, choose MENU INDEX,
// remember NAME TEXT, port NUMBER, song_beats BEATS, peak LEVEL, written, and the daemon's OSC
// messages. Second inlet: the text of the prompt's field.

// How long a button stays lit.
var FLASH_MS = 60;
// How long to wait before asking again for a set that is still loading.
var LIVE_MS = 500;
// A pattr's text starts with this mark: without it "90" would become a number, and "init" would be
// read as a command.
var SAVED_MARK = "=";
// Longer than the pause between two keystrokes.
var SAVE_TEXT_MS = 1000;

// Live's set, once it answers.
var song = null;
// Values of the device's own controls, by name.
var controls = {};
var texts = { preset: "", prompt: "", target: "" };
// Names of the texts that are not in the set yet.
var unsaved = {};
var save_text_task = null;

// Live is ready. The patcher also sends this after a preset is loaded or the device is saved.
function bang() {
    if (!song) {
        var found = new LiveAPI("live_set");
        if (!exists(found)) {
            // In a big set Live may report that it is ready before it answers.
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
    shown_loop = "";
    show_loop();
    show_link();
}

// Every button is a switch that the script switches off again. A note that is mapped to a parameter
// with two values toggles it (Live manual, Mapping to MIDI Notes): if the switch stayed on, every
// second hit of a pad would be lost.
function press(name, value) {
    if (value === 0) return;
    later(function () { outlet(SHOW, name, 0); }, FLASH_MS);
    if (song) BUTTONS[name]();
}

// Live's parameters are floats where their range exceeds 255, so a number that is displayed as
// whole may have a fraction.
function control(name, value) {
    controls[name] = name === "seed" ? Math.round(value) : value;
}

function choose(menu, index) {
    if (menu === "preset") choose_preset(index);
    else choose_target(index);
}

// The text of the prompt's field, as one symbol; no argument when the field is empty.
function text(symbol) {
    save_text("prompt", symbol === undefined ? "" : String(symbol));
}

// A text that the set has kept, after its mark. Without a mark, the set has kept nothing yet.
function remember(name, saved) {
    var is_saved = typeof saved === "string" && saved.charAt(0) === SAVED_MARK;
    var text = is_saved ? saved.slice(1) : "";
    // Does not disturb a text that is being typed.
    if (text === texts[name]) return;
    texts[name] = text;
    if (name === "prompt") show_prompt();
    if (name === "target") chosen_track_id = 0;
}

// Each preset sends the port again: only a different port matters.
function port(value) {
    var is_other = Math.round(value) !== link.daemon_port;
    link.daemon_port = Math.round(value);
    if (!is_other) return;
    outlet(OSC, "port", link.daemon_port);
    if (song) search();
}

// The device is removed, or the set is closed.
function notifydeleted() {
    if (loop) send(["/bridge/loop/clear", loop.id]);
    if (song) send(["/bridge/unsubscribe", link.port]);
    while (pending_tasks.length > 0) cancel_task(pending_tasks[0]);
}

function anything() {
    if (inlet === PROMPT_INLET) {
        // The field may leave out the word `text` before its symbol.
        text(messagename);
        return;
    }
    var handle = EVENTS[messagename];
    if (handle) handle.apply(null, arrayfromargs(arguments));
}

// Keeps a text in the set: once, after a delay, because each change of a parameter is a step of
// Live's undo.
function save_text(name, text) {
    texts[name] = text;
    unsaved[name] = true;
    cancel_task(save_text_task);
    save_text_task = later(save_texts, SAVE_TEXT_MS);
}

function save_texts() {
    for (var name in unsaved) outlet(SHOW, "keep_" + name, SAVED_MARK + texts[name]);
    unsaved = {};
}

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
    to_midi: to_midi,
    generate: generate,
    cancel: cancel,
    dice: dice,
    loop: press_loop,
    freeze: press_freeze,
    check: check,
    reveal: reveal
};
for (var letter = 0; letter < LETTERS.length; letter++) {
    BUTTONS["launch_" + LETTERS[letter]] = launcher(letter);
    BUTTONS["discard_" + LETTERS[letter]] = discarder(letter);
}

// The daemon's events. The script never sends a ping, so it handles no pong.
var EVENTS = {
    "/bridge/hello": on_hello,
    "/bridge/engine": on_engine,
    "/bridge/input": on_input,
    "/bridge/capture": on_capture,
    "/bridge/level": on_level,
    "/bridge/progress": on_progress,
    "/bridge/clip": on_clip,
    "/bridge/preset": on_preset,
    "/bridge/note": on_note,
    "/bridge/loop": on_loop,
    "/bridge/remark": on_remark,
    "/bridge/done": on_done,
    "/bridge/error": on_error
};
