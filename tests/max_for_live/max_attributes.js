'use strict';

/** Attributes of visible objects that a message can set, by class. */

const words = (text) => text.trim().split(/\s+/);

const COMMON = words(`annotation background hidden hint ignoreclick patching_rect presentation
  presentation_rect`);
const TEXT = words('fontface fontname fontsize textcolor');

const ATTRIBUTES = {
  comment: words('bgcolor underline'),
  'live.button': words(`active activebgcolor activebgoncolor annotation_name bgcolor bgoncolor
    blinktime bordercolor focusbordercolor transition`),
  'live.comment': words('bgcolor underline'),
  'live.dial': words(`active activedialcolor activefgdialcolor activeneedlecolor annotation_name
    appearance bordercolor dialcolor fgdialcolor focusbordercolor needlecolor needlemode
    panelcolor showname shownumber triangle tribordercolor tricolor`),
  'live.line': words('border justification linecolor orientation'),
  'live.menu': words(`active activebgcolor annotation_name appearance bordercolor focusbordercolor
    hltcolor hlttextcolor inactivelcdcolor lcdbgcolor lcdcolor tricolor`),
  'live.meter~': words(`active bgcolor clip_size coldcolor display_range drawpeakhold hotcolor
    inactivecoldcolor inactivewarmcolor interval mode orientation overloadcolor threshold_db
    threshold_linear warmcolor`),
  'live.numbox': words(`active activebgcolor activeslidercolor activetricolor activetricolor2
    annotation_name appearance bordercolor focusbordercolor inactivelcdcolor lcdbgcolor lcdcolor
    tricolor tricolor2`),
  'live.slider': words(`active annotation_name focusbordercolor modulationcolor orientation relative
    showname shownumber slidercolor tribordercolor tricolor trioncolor`),
  'live.tab': words(`active activebgcolor activebgoncolor annotation_name appearance bgcolor
    bgoncolor blinktime bordercolor button focusbordercolor inactivelcdcolor inactivetextoffcolor
    inactivetextoncolor lcdbgcolor lcdcolor livemode mode multiline rounded spacing_x spacing_y
    textoncolor`),
  'live.text': words(`active activebgcolor activebgoncolor activetextcolor activetextoncolor
    annotation_name appearance automation automationon bgcolor bgoncolor blinktime bordercolor
    focusbordercolor inactivelcdcolor labeltextcolor lcdbgcolor lcdcolor mode outputmode rounded
    text textoffcolor texton transition`),
  'live.toggle': words(`active activebgcolor activebgoncolor annotation_name appearance bgcolor
    bgoncolor bordercolor focusbordercolor inactivelcdcolor lcdcolor outputmode rounded`),
  multislider: words(`annotation_name bgcolor bordercolor compatibility contdata drawpeaks
    listresize orientation peakcolor setminmax setstyle settype signed size slidercolor spacing
    thickness`),
  panel: words(`angle bgcolor bgfillcolor border bordercolor drag_window horizontal_direction mode
    rounded shape vertical_direction`),
  slider: words(`annotation_name bgcolor bordercolor drawoffcolor elementcolor floatoutput
    inputrangemode knobcolor knobshape min mult orientation relative size thickness`),
  textedit: words(`annotation_name autoscroll bangmode bgcolor border bordercolor clickmode keymode
    lines nosymquotes outputmode readonly rounded separator tabmode valuemode wordwrap`),
  umenu: words(`align allowdrag annotation_name applycolors bgcolor bgcolor2 bgfillcolor blanksym
    collection color depth discolor elementcolor framecolor hltcolor items labelclick menumode
    pattrmode rounded showdotfiles textcolor2 togcolor truncate underline`),
};

/**
 * @param {string} maxclass
 * @returns {string[]}
 */
function attributesOf(maxclass) {
  return [...COMMON, ...TEXT, ...(ATTRIBUTES[maxclass] ?? [])];
}

module.exports = { attributesOf };
