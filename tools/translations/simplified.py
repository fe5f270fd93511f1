"""Simplified Chinese from Traditional Chinese."""

from __future__ import annotations

import re

from opencc import OpenCC

from tools.translations.check import KEPT

TO_SIMPLIFIED = OpenCC("tw2sp")
CORRECTIONS = {
    "乱数产生器": "随机数生成器",
    "选用套件组": "可选依赖组",
    "中继数据": "元数据",
    "信赖区间": "置信区间",
    "信赖水准": "置信水平",
    "工作阶段": "会话",
    "数据平行": "数据并行",
    "连接端口": "端口",
    "侦测器": "检测器",
    "保存格": "单元格",
    "压缩档": "压缩文件",
    "变异数": "方差",
    "映像档": "镜像",
    "程序库": "库",
    "终端机": "终端",
    "乱数": "随机数",
    "信道": "通道",
    "几率": "概率",
    "凭证": "证书",
    "回传": "返回",
    "套件": "软件包",
    "建置": "构建",
    "影像": "图像",
    "拷贝": "复制",
    "指令": "命令",
    "杂讯": "噪声",
    "权杖": "令牌",
    "检定": "检验",
    "横列": "行",
    "注记": "注释",
    "直行": "列",
    "矢量": "向量",
    "笔电": "笔记本电脑",
    "缺省": "默认",
    "范式": "规范化",
    "行程(?!序)": "进程",
    "身分": "身份",
    "遮罩": "掩码",
    "「": "“",
    "」": "”",
}
"""What OpenCC leaves as in Taiwan, or takes for another word (as a regular expression), and the mainland's word."""


def simplify(text: str) -> str:
    """Write a text in Simplified characters and with the words of the mainland; code and links stay as they are."""
    start, parts = 0, []
    for match in KEPT.finditer(text):
        parts += [_derived(text[start : match.start()]), match[0]]
        start = match.end()
    return "".join([*parts, _derived(text[start:])])


def _derived(text: str) -> str:
    simplified = TO_SIMPLIFIED.convert(text)
    for taiwan, mainland in CORRECTIONS.items():
        simplified = re.sub(taiwan, mainland, simplified)
    return simplified
