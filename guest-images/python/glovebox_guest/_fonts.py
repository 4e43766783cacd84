"""Text that DejaVu cannot draw: Chinese, Japanese, Korean and emoji come from fonts that are opened when such text is drawn.

Names of fonts that people ask for and that are not free stand for the ones that are here, so that nothing warns.
"""
FROM = '\u2300'                     # below this DejaVu has what its scripts need
EAST_ASIAN, EMOJI = 'WenQuanYi Micro Hei', 'Noto Emoji'
SAME = {
    EAST_ASIAN: '''SimHei|SimSun|NSimSun|FangSong|KaiTi|Microsoft YaHei|Microsoft JhengHei|PingFang SC|PingFang TC|PingFang HK|Heiti SC|Heiti TC|STHeiti
        |STSong|Hiragino Sans GB|Hiragino Sans|Hiragino Kaku Gothic Pro|Yu Gothic|Meiryo|MS Gothic|MS Mincho|IPAexGothic|IPAGothic|TakaoGothic|TakaoPGothic
        |VL Gothic|Noto Sans CJK SC|Noto Sans CJK TC|Noto Sans CJK JP|Noto Sans CJK KR|Noto Sans SC|Noto Sans TC|Noto Sans JP|Noto Sans KR|Noto Serif CJK SC
        |Noto Serif CJK JP|Source Han Sans SC|Source Han Sans CN|Source Han Sans|Source Han Serif SC|WenQuanYi Zen Hei|Droid Sans Fallback|AR PL UMing CN
        |AR PL UKai CN|Malgun Gothic|NanumGothic|NanumBarunGothic|AppleGothic|Apple SD Gothic Neo|Gulim|Batang|Dotum|Arial Unicode MS''',
    EMOJI: 'Noto Color Emoji|Segoe UI Emoji|Segoe UI Symbol|Apple Color Emoji|Symbola|Twemoji|EmojiOne',
}
# Joiners and selectors, which choose between forms that these fonts do not have.
UNSEEN = dict.fromkeys((0xfe0e, 0xfe0f, 0x200d))


def install(manager):
    """`manager` is matplotlib.font_manager."""
    from dataclasses import replace

    from matplotlib.text import Text
    known = manager.fontManager.ttflist
    for family, names in SAME.items():
        entry = next((e for e in known if e.name == family), None)
        if entry is None:
            return                  # an image without these fonts
        there = {e.name for e in known}
        known += [replace(entry, name=name) for name in map(str.strip, names.split('|')) if name not in there]
    layout = Text._get_layout

    def with_fallback(self, renderer):
        if not self._text.isascii() and max(self._text) >= FROM:
            self._text = self._text.translate(UNSEEN)
            properties = self._fontproperties
            families = properties.get_family()
            if EMOJI not in families and properties.get_file() is None:
                self._fontproperties = properties = properties.copy()
                properties.set_family([*families, EAST_ASIAN, EMOJI])
        return layout(self, renderer)
    Text._get_layout = with_fallback
