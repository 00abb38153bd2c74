"""The foot of each step in the technique fixtures, as their author annotates them.

From the tests of StepManiaLibrary (MIT licence, (c) 2023 Perry Lynch), whose charts these are. A
word a row with arrows: for each arrow, from left to right, the foot that steps on it.
"""

FEET = {
    "TestSameArrowAlternating": "l r l r l r l r",
    "TestSameArrowJacks": "r r r l l l r r r l l l",
    "TestNewArrowStream": "r l r l r l r l r",
    "TestMinesPreferAfterArrow": "l r l r l r l r",
    "TestMinesNTies": "l lr r",
    "TestCrossoverLBehind": "l r l r l l r l l r l l r l r l r l",
    "TestCrossoverLFront": "l r l r l l r l l r l l r l r l r l",
    "TestCrossoverRBehind": "r l r l r r l r r l r r l r l r l r",
    "TestCrossoverRFront": "r l r l r r l r r l r r l r l r l r",
    "TestInversion": "r l r l r l r l r l r l r l r l r l r l r l r l r l r l",
    "TestDoubleStepHoldAlternateSameArrow": "l r r l l",
    "TestDoubleStepLHold": "l r r r r r lr r lr r lr r r r r r r r l r l r r r r r r r r",
    "TestDoubleStepLHoldRepeatingPattern": "l r r r r r r r r r r r r r r r r",
    "TestDoubleStepRHold": "r l l l l l lr l lr l lr l l l l l l l r l r l l l l l l l l",
    "TestDoubleStepRHoldRepeatingPattern": "r l l l l l l l l l l l l l l l l",
    "TestFootSwapPreferJack": (
        "l r r l r r l r l l r l l r l r r l r r l r l l r l l r l r l l lr r l r r lr l "
        "r r r l l l l r r r l l l r r r l r l r l r r l r l r l r lr r l r l r l l r l r "
        "l r l lr"
    ),
    "TestFootSwap": (
        "l r l r l r l r l r r l r l r l r l r l l r l r l r l r r l r l r l r l lr r l r "
        "l r l r l lr l r l r l r l r lr r l r l r l r l r lr l r l r l r l r l lr"
    ),
    "TestFootSwapToAvoidCrossoverAndNewArrowNewArrowJump": "l r l r l rr",
    "TestJumpStepBothBracketable": "lr r lr l lr r lr l lr r lr l lr r lr l lr r lr l lr l lr r lr",
    "TestJumpStepOneBracketableOneNormalL": "l r lr l",
    "TestJumpStepOneBracketableOneNormalLHoldAndMineBracketable": "l r lr l",
    "TestJumpStepOneBracketableOneNormalLHoldAndMineNormal": "l r lr r",
    "TestJumpStepOneBracketableOneNormalLHoldBracketable": "l r lr r",
    "TestJumpStepOneBracketableOneNormalLHoldNormal": "l r lr l",
    "TestJumpStepOneBracketableOneNormalLMineBracketable": "l r lr l",
    "TestJumpStepOneBracketableOneNormalLMineNormal": "l r lr r",
    "TestJumpStepOneBracketableOneNormalR": "r l lr r",
    "TestJumpStepOneBracketableOneNormalRHoldAndMineBracketable": "r l lr r",
    "TestJumpStepOneBracketableOneNormalRHoldAndMineNormal": "r l lr l",
    "TestJumpStepOneBracketableOneNormalRHoldBracketable": "r l lr l",
    "TestJumpStepOneBracketableOneNormalRHoldNormal": "r l lr r",
    "TestJumpStepOneBracketableOneNormalRMineBracketable": "r l lr r",
    "TestJumpStepOneBracketableOneNormalRMineNormal": "r l lr l",
    "TestJumpStepOneBracketableOneCrossover": (
        "lr l lr l lr r lr r lr l lr r lr l lr r lr l lr r lr l lr r lr l lr r lr l lr r lr"
    ),
    "TestJumpFootSwap": "lr lr lr lr lr lr lr lr lr lr lr lr lr lr lr lr lr",
    "TestBracketHoldRoll": "r l r l llrr llrr llrr llrr llrr llrr llrr llrr",
    "TestBracketSwapGigaViolate": (
        "l r ll r rr ll r lr r l rr l ll rr l lr l r ll r rr ll r lr r l rr l ll rr l"
    ),
    "TestBracketIntoJumpsGigaViolate": "l r ll lr lr lr r",
}

HELD_OUT = {
    "TestBracketOneArrowUpdatesFootPortion": (
        "r l r r l r r l r r l r r r l r r l r r l r r l r r r l r l l r l l r l l r l l "
        "l r l l r l l r l l r l l"
    ),
}
"""A fixture that prices were chosen without."""
