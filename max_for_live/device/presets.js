// The daemon's presets: the menu, and the prompt that a preset brings.

var NO_PRESET = "No preset";

var presets = [];
// The list that is being received: its id, when it was asked for, and the presets so far by index.
var listing = null;

function list_presets() {
    listing = { id: next_id(), asked_ms: now_ms(), found: [] };
    send(["/bridge/presets", listing.id]);
}

function on_preset(id, index, count, name, text) {
    if (!listing || id !== listing.id) return;
    listing.found[index] = { name: String(name), prompt: String(text) };
}

// Asks again for a list that has a hole.
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
    save_text("prompt", texts.prompt);
    save_text("preset", preset ? preset.name : "");
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
    // The daemon does not have this preset, or is not connected: the menu still shows the name.
    if (shown === 0 && texts.preset) {
        outlet(SHOW, "preset_menu", "append", texts.preset);
        shown = presets.length + 1;
    }
    outlet(SHOW, "preset_menu", "set", shown);
}
