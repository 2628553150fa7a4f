// Reading Live's objects through LiveAPI.

// Live's answer as a list: some versions return a single value without a list.
function as_list(value) {
    return value === null || value === undefined ? [] : [].concat(value);
}

function number(api, property) {
    return Number(as_list(api.get(property))[0]);
}

function string(api, property) {
    return as_list(api.get(property)).join(" ");
}

function exists(api) {
    return api !== null && Number(api.id) !== 0;
}

// The object's id; 0: there is no object.
function id_of(api) {
    return exists(api) ? Number(api.id) : 0;
}

// Live answers "id", 5.
function child_id(api, child) {
    return Number(as_list(api.get(child))[1] || 0);
}

// Live answers "id", 5, "id", 6 and so on.
function child_ids(api, children) {
    var pairs = as_list(api.get(children));
    var ids = [];
    for (var i = 1; i < pairs.length; i += 2) ids.push(Number(pairs[i]));
    return ids;
}

// Calls `visit` with each child until it returns true. One LiveAPI object goes from child to child,
// because Max never frees what such an object has used. So a visit may keep the id of any child, but
// the child itself only if it returns true.
function each_child(api, children, visit) {
    var ids = child_ids(api, children);
    if (ids.length === 0) return;
    var child = new LiveAPI("id " + ids[0]);
    for (var i = 0; i < ids.length; i++) {
        child.id = ids[i];
        if (visit(child) === true) return;
    }
}

// Whether Live's object has that function: older versions have fewer.
function offers(api, name) {
    return String(api.info).indexOf("function " + name) >= 0;
}

// Some versions return a dictionary as JSON, others as an object.
function parse_dictionary(value) {
    var text = value instanceof Array ? value.join("") : value;
    if (typeof text !== "string") return text || {};
    try {
        return JSON.parse(text);
    } catch (error) {
        return {};
    }
}

// The object's name in quotation marks.
function quoted(named) {
    return "\u201c" + string(named, "name") + "\u201d";
}
