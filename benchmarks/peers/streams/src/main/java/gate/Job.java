package gate;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.List;
import java.util.Set;

/** The job of job.py: parse a send, ten checks against one consent, two records. */
final class Job {
  enum Channel { postal, email, sms, phone, fax, push, visit, social }

  enum State { given, withdrawn }

  record Delivery(String name, String postcode, List<String> lines) {}

  record Send(
      @JsonProperty(required = true) String event_id,
      @JsonProperty(required = true) String recipient_id,
      @JsonProperty(required = true) String campaign_id,
      @JsonProperty(required = true) String controller_id,
      @JsonProperty(required = true) String purpose,
      @JsonProperty(required = true) Channel channel,
      @JsonProperty(required = true) String message_class,
      @JsonProperty(required = true) LocalDate mail_date,
      @JsonProperty(required = true) Delivery delivery) {}

  record Consent(
      @JsonProperty(required = true) String recipient_id,
      @JsonProperty(required = true) State state,
      @JsonProperty(required = true) List<String> purposes,
      @JsonProperty(required = true) List<String> channels,
      @JsonProperty(required = true) LocalDate until) {}

  record Record(
      String event_id,
      String recipient_id,
      String campaign_id,
      String verdict,
      String reason,
      String purpose,
      Channel channel,
      LocalDate mail_date) {}

  record Answer(boolean cleared, byte[] out, byte[] audit) {}

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .build();
  private static final ObjectReader SEND = JSON.readerFor(Send.class);
  static final ObjectReader CONSENT = JSON.readerFor(Consent.class);
  static final ObjectWriter CONSENT_BYTES = JSON.writerFor(Consent.class);
  private static final ObjectWriter RECORD = JSON.writerFor(Record.class);

  private Job() {}

  static String refusal(Send send, Consent known) {
    if (known == null) return "no_consent";
    if (known.state() != State.given) return "withdrawn";
    if (!known.purposes().contains(send.purpose())) return "purpose";
    if (!known.channels().contains(send.channel().name())) return "channel";
    if (!known.until().isAfter(send.mail_date())) return "expired";
    if (!known.recipient_id().equals(send.recipient_id())) return "other_person";
    if (send.delivery().name() == null || send.delivery().name().isEmpty()) return "no_name";
    if (send.delivery().lines() == null || send.delivery().lines().isEmpty()) return "no_address";
    if (send.campaign_id().isEmpty()) return "no_campaign";
    if (!Set.of("marketing", "service").contains(send.message_class())) return "class";
    return null;
  }

  static Answer process(byte[] value, Consent known) {
    try {
      Send send = SEND.readValue(value);
      String reason = refusal(send, known);
      byte[] audit =
          RECORD.writeValueAsBytes(
              new Record(
                  send.event_id(),
                  send.recipient_id(),
                  send.campaign_id(),
                  reason == null ? "clear" : "review",
                  reason == null ? "all_checks_passed" : reason,
                  send.purpose(),
                  send.channel(),
                  send.mail_date()));
      if (reason == null) return new Answer(true, value, audit);
      byte[] head = ("{\"reason\":\"" + reason + "\",\"send\":").getBytes(StandardCharsets.UTF_8);
      byte[] out = new byte[head.length + value.length + 1];
      System.arraycopy(head, 0, out, 0, head.length);
      System.arraycopy(value, 0, out, head.length, value.length);
      out[out.length - 1] = '}';
      return new Answer(false, out, audit);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
