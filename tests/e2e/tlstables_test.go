package e2e

import (
	"os"
	"os/exec"
	"testing"

	"rexecd/tests/lab"
)

// envTunnel has serve start servers with TLS, and a tunnel to them.
const envTunnel = "REXEC_E2E_TUNNEL"

func init() {
	if os.Getenv(envTunnel) != "" {
		serve = lab.ServeTunnel
		lab.Apart()
	}
}

// What holds in clear text holds with TLS: the same tables.
func TestTheTablesHoldThroughTLS(t *testing.T) {
	if os.Getenv(envTunnel) != "" {
		t.Fatal("it is through TLS already")
	}
	const tables = "^(" +
		"TestPortsThatAreNoneAreRefusedWithALine|TestNoPortAndPort0MeanNoStderrConnection|" +
		"TestFieldsAreTakenUpToTheirLimitAndRefusedBehindIt|TestAFieldThatIsTooLongIsRefusedBeforeItsEnd|" +
		"TestARequestCutShortAnywhereIsClosedInSilence|TestARequestMayComeByteByByte|" +
		"TestWhatFollowsTheCommandInTheSameSegmentIsItsStandardInput|TestARefusalReachesAClientThatHasSentMore|" +
		"TestEveryRefusalIsByteForByteTheDocumentedOne|" +
		"TestTheCommandHasTheThreeDescriptorsAndNoOther|" +
		"TestTheSocketsAreInBlockingMode|TestTheCommandLeadsASessionOfItsOwn|TestTheCommandIsTheUserForGood|" +
		"TestTheSessionIsClosedWhen.*|TestAChildInTheBackgroundKeepsTheClientWaitingUnlessToldOtherwise|" +
		"TestTheCommandGoesOnWhenTheClientVanishesUnlessHangupIsSet|TestAKilledClientHangsTheCommandUpAndAHalfClosedOneDoesNot|" +
		"TestMuchBinaryArrivesAsItWasBothWaysAndOnStderr|TestTheOutputArrivesWholeWhateverTheInputDoes)$"
	again := exec.Command(os.Args[0], "-test.run", tables, "-test.v", "-test.count=1")
	again.Env = append(os.Environ(), envTunnel+"=1")
	text, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}
