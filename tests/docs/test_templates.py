"""Whoever reports a fault is asked for what its reader needs."""

from rst_blocks import ROOT


def test_a_fault_s_report_asks_for_what_doctor_prints():
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / "fault.yml").read_text()
    asked = text.partition("id: doctor")[2].partition("- type:")[0]
    assert "`gaechannel doctor`" in asked
    assert "required: true" in asked
    assert "SECURITY.rst" in text
    assert (ROOT / "SECURITY.rst").exists()
