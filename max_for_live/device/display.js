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

function show_capture(label) {
    outlet(SHOW, "capture", "text", label);
    outlet(SHOW, "capture", "texton", label);
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

// Sends a text word by word: some of Max's objects show a symbol with spaces in quotes. An empty
// text becomes a space, because `set` alone does not clear.
function show_text(word, text) {
    outlet(SHOW, [word, "set"].concat(text === "" ? [" "] : String(text).split(" ")));
}
