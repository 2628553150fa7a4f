// What the device shows: the status line, the light, the melody, the progress, the buttons.

function show_status(text) {
    show_text("status", text);
}

function show_link() {
    var color = !link.connected ? LIGHT_COLORS.off
        : link.engine === "failed" ? LIGHT_COLORS.bad
        : link.engine === "ready" ? LIGHT_COLORS.on : LIGHT_COLORS.wait;
    outlet(SHOW, ["light", "bgfillcolor"].concat(color, [1]));
    var state = link.engine + ", " + file_name(String(link.model));
    show_text("state", link.connected ? state : NOT_CONNECTED);
}

function show_melody() {
    if (take && take.first_seconds === null) show_text("melody", "waiting for the first note");
    else if (take) show_text("melody", "recording " + count_of(take.bars, "bar"));
    else show_text("melody", melody ? melody.description : NO_MELODY);
}

function show_button(button, label) {
    outlet(SHOW, button, "text", label);
    outlet(SHOW, button, "texton", label);
}

// A negative time means that none is known.
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

// What the loop's display shows; empty: nothing yet.
var shown_loop = "";

// Green: the loop sounds. Yellow: it waits, listens or renders. Off: there is none.
function show_loop() {
    var words = loop_words();
    // The words name every state.
    if (words === shown_loop) return;
    shown_loop = words;
    var sounds = loop && loop.state.sounding !== "off";
    var color = !loop ? LIGHT_COLORS.off : sounds ? LIGHT_COLORS.on : LIGHT_COLORS.wait;
    outlet(SHOW, ["loop_light", "bgfillcolor"].concat(color, [1]));
    show_button("loop", loop ? "Stop" : LOOP_LABEL);
    show_button("freeze", loop && loop.is_frozen ? "Frozen" : FREEZE_LABEL);
    show_text("loop_state", words);
}

// What the loop does, such as "plays, next at bar 9".
function loop_words() {
    if (!loop) return NO_LOOP;
    if (is_loop_waiting()) return "waits for Live to play";
    var state = loop.state;
    var sounding = { off: "", playing: "plays", stopping: "stops" }[state.sounding];
    var bar = state.bar > 0 ? state.bar : "";
    var coming = {
        armed: "waits for Live",
        capturing: bar ? "listens to bar " + bar : "listens",
        rendering: bar ? "makes bar " + bar : "makes a clip",
        queued: bar ? "next at bar " + bar : "next is ready",
        slipped: "late, at bar " + bar
    }[state.coming];
    if (loop.is_frozen) coming = "frozen";
    return [sounding, coming].filter(function (words) { return words; }).join(", ");
}

// Sends a text word by word: some of Max's objects show a symbol with spaces in quotes. An empty
// text becomes a space, because `set` alone does not clear.
function show_text(word, text) {
    outlet(SHOW, [word, "set"].concat(text === "" ? [" "] : String(text).split(" ")));
}
