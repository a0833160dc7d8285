import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.commons.net.bsd.RExecClient;

/**
 * A client around Apache commons-net's RExecClient.
 *
 * CommonsNet HOST PORT USER PASSWORD COMMAND [together]: with a stderr connection, or without one. The input's end is
 * passed on, which the class itself has no method for. Exit status 1 when rexec() throws, whose message is printed.
 */
public final class CommonsNet extends RExecClient {
    private static Thread copy(InputStream from, OutputStream to) {
        Thread copier = new Thread(() -> {
            try {
                byte[] buffer = new byte[65536];
                for (int n; (n = from.read(buffer)) >= 0;) {
                    to.write(buffer, 0, n);
                    to.flush();
                }
            } catch (IOException e) {
                System.err.println(e.getMessage());
                System.exit(3);
            }
        });
        copier.start();
        return copier;
    }

    private void run(String user, String password, String command, boolean separate) throws Exception {
        try {
            rexec(user, password, command, separate);
        } catch (IOException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
        Thread output = copy(getInputStream(), System.out);
        Thread errors = separate ? copy(getErrorStream(), System.err) : output;
        copy(System.in, getOutputStream()).join();
        _socket_.shutdownOutput();
        output.join();
        errors.join();
        System.exit(0);
    }

    public static void main(String[] args) throws Exception {
        CommonsNet client = new CommonsNet();
        client.connect(args[0], Integer.parseInt(args[1]));
        String command = args[4].replace("{128 KiB}", "x".repeat(131072)); // more than one argument may have
        client.run(args[2], args[3], command, args.length == 5);
    }
}
